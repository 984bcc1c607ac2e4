// SPDX-License-Identifier: Apache-2.0
#include "workloads/onnx/names.h"

namespace npusim::workloads::onnx {
namespace {

constexpr std::size_t kLongestName = 4096;
constexpr std::size_t kLongestShown = 80;

/// Bytes of the well-formed UTF-8 character at `i` (Unicode 15, table 3-7); 0: there is none.
std::size_t character_length(const std::string& text, std::size_t i) {
  const auto byte = [&](std::size_t at) {
    return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U;
  };
  const unsigned first = byte(i);
  if (first < 0x80U) return 1;
  const auto continues = [&](std::size_t at) { return (byte(at) & 0xC0U) == 0x80U; };
  if (first >= 0xC2U && first <= 0xDFU) return continues(i + 1) ? 2 : 0;
  if (first >= 0xE0U && first <= 0xEFU) {
    const unsigned second = byte(i + 1);
    const bool in_range =
        !(first == 0xE0U && second < 0xA0U) && !(first == 0xEDU && second > 0x9FU);
    return in_range && continues(i + 1) && continues(i + 2) ? 3 : 0;
  }
  if (first >= 0xF0U && first <= 0xF4U) {
    const unsigned second = byte(i + 1);
    const bool in_range =
        !(first == 0xF0U && second < 0x90U) && !(first == 0xF4U && second > 0x8FU);
    return in_range && continues(i + 1) && continues(i + 2) && continues(i + 3) ? 4 : 0;
  }
  return 0;
}

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20U || byte == 0x7FU;
}

}  // namespace

void check_name(const std::string& name, const Place& place) {
  if (name.size() > kLongestName) place.fail("bad-name", "the name is longer than 4096 bytes");
  for (std::size_t i = 0; i < name.size();) {
    const std::size_t length = character_length(name, i);
    if (length == 0 || is_control(name[i]))
      place.fail("bad-name", "the name " + shown(name) + " is no printable UTF-8 text");
    i += length;
  }
}

std::string shown(const std::string& name) {
  std::string text = "\"";
  for (const char c : name.substr(0, kLongestShown))
    text += is_control(c) || static_cast<unsigned char>(c) >= 0x80U ? '?' : c;
  return text + (name.size() > kLongestShown ? "...\"" : "\"");
}

}  // namespace npusim::workloads::onnx
