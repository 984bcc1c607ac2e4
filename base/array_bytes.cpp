// SPDX-License-Identifier: Apache-2.0
#include "base/array_bytes.h"

#include "base/element_kind.h"
#include "base/error.h"

namespace npusim::base {

void fail_at_byte(const std::string& name, std::uint64_t offset, const std::string& message,
                  const std::string& allowed) {
  Diagnostic diagnostic;
  diagnostic.file = name;
  diagnostic.code = "bad-array-file";
  diagnostic.message = "at byte " + std::to_string(offset) + ": " + message;
  diagnostic.allowed = allowed;
  throw InputError({diagnostic});
}

bool element_count(const std::vector<std::int64_t>& shape, std::uint64_t& count) {
  constexpr std::uint64_t kMost = std::uint64_t{1} << 62;
  count = 1;
  for (const std::int64_t size : shape) {
    if (size == 0) {
      count = 0;
      return true;
    }
  }
  for (const std::int64_t size : shape) {
    if (static_cast<std::uint64_t>(size) > kMost / count) return false;
    count *= static_cast<std::uint64_t>(size);
  }
  return true;
}

std::vector<double> decode_elements(ElementKind kind, std::string_view bytes,
                                    const std::string& name, std::uint64_t offset,
                                    std::uint64_t first) {
  const std::size_t step = element_bytes(kind);
  std::vector<double> values(bytes.size() / step);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::optional<double> value = decode_element(kind, bytes.data() + i * step);
    if (!value) {
      fail_at_byte(name, offset + i * step,
                   "element " + std::to_string(first + i) +
                       " is an integer beyond 2^53, which double cannot hold");
    }
    values[i] = *value;
  }
  return values;
}

}  // namespace npusim::base
