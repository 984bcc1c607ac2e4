// SPDX-License-Identifier: Apache-2.0
// Any bytes as .safetensors: tensors that can be written again, or a base::InputError.
#include <cstddef>
#include <cstdint>

#include "base/array_file.h"
#include "base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace npusim::base;
  std::map<std::string, ArrayData> tensors;
  try {
    tensors = parse_safetensors({reinterpret_cast<const char*>(data), size}, "fuzz");
  } catch (const InputError&) {
    return 0;
  }
  const auto again = parse_safetensors(format_safetensors(tensors), "again");
  if (again.size() != tensors.size()) __builtin_trap();
  return 0;
}
