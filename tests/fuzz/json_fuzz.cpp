// SPDX-License-Identifier: Apache-2.0
// Any bytes as JSON: a document that prints and reads back the same, or a base::InputError.
#include <cstddef>
#include <cstdint>

#include "base/json_value.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace npusim::base;
  JsonValue document;
  try {
    document = parse_json({reinterpret_cast<const char*>(data), size}, "fuzz");
  } catch (const InputError&) {
    return 0;
  }
  const std::string text = dump_json(document);
  if (dump_json(parse_json(text, "again")) != text) __builtin_trap();
  return 0;
}
