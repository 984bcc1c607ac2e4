// SPDX-License-Identifier: Apache-2.0
#include "tools/format_argument.h"

#include <stdexcept>

#include "base/error.h"
#include "base/object_reader.h"

namespace npusim::tools {
namespace {

[[noreturn]] void fail(const std::string& name, std::string message) {
  std::vector<std::string> known = precision::named_formats();
  for (const std::string& block : precision::named_block_formats()) known.push_back(block);
  const std::string near = base::did_you_mean(name, known);
  if (!near.empty()) message += " (did you mean \"" + near + "\"?)";
  throw base::InputError(message, "unknown-name");
}

}  // namespace

precision::Format format_argument(const std::string& name) {
  try {
    return precision::format_from_name(name);
  } catch (const std::invalid_argument& error) {
    fail(name, error.what());
  }
}

precision::BlockFormat block_format_argument(const std::string& name) {
  try {
    return precision::block_format_from_name(name);
  } catch (const std::invalid_argument& error) {
    fail(name, error.what());
  }
}

}  // namespace npusim::tools
