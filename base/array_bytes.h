// SPDX-License-Identifier: Apache-2.0
// What the readers of .npy and .safetensors share: the error with a byte offset, the size of a
// shape, and the decoding of a run of elements.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/array_file.h"

namespace npusim::base {

[[noreturn]] void fail_at_byte(const std::string& name, std::uint64_t offset,
                               const std::string& message, const std::string& allowed = {});

/// Product of the dimensions, none of which may be negative; false when it exceeds 2^62.
bool element_count(const std::vector<std::int64_t>& shape, std::uint64_t& count);

/// `bytes` holds the elements exactly; `offset` is where they start in the file, `first` the index
/// of the first one.
std::vector<double> decode_elements(ElementKind kind, std::string_view bytes,
                                    const std::string& name, std::uint64_t offset,
                                    std::uint64_t first = 0);

}  // namespace npusim::base
