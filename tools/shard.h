// SPDX-License-Identifier: Apache-2.0
// "2/3": the second of three parts.
#pragma once

#include <cstddef>
#include <string>

namespace npusim::tools {

struct ShardArgument {
  std::size_t index = 0;  ///< from 0
  std::size_t count = 1;
};

/// All of it for ""; UsageError unless I/N with 1 <= I <= N.
ShardArgument parse_shard(const std::string& text);

}  // namespace npusim::tools
