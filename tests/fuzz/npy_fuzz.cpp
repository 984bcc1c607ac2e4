// SPDX-License-Identifier: Apache-2.0
// Any bytes as .npy: an array that can be written again, or a base::InputError.
#include <cstddef>
#include <cstdint>

#include "base/array_file.h"
#include "base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace npusim::base;
  ArrayData array;
  try {
    array = parse_npy({reinterpret_cast<const char*>(data), size}, "fuzz");
  } catch (const InputError&) {
    return 0;
  }
  const ArrayData again = parse_npy(format_npy(array), "again");
  if (again.shape != array.shape || again.values.size() != array.values.size()) __builtin_trap();
  return 0;
}
