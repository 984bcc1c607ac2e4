// SPDX-License-Identifier: Apache-2.0
#include "tools/shard.h"

#include <regex>

#include "tools/options.h"

namespace npusim::tools {

ShardArgument parse_shard(const std::string& text) {
  if (text.empty()) return {};
  const std::regex form("([1-9][0-9]{0,5})/([1-9][0-9]{0,5})");
  std::smatch parts;
  if (!std::regex_match(text, parts, form) || std::stoul(parts[1]) > std::stoul(parts[2]))
    throw UsageError("--shard " + text + ": expected I/N with 1 <= I <= N");
  return {std::stoul(parts[1]) - 1, std::stoul(parts[2])};
}

}  // namespace npusim::tools
