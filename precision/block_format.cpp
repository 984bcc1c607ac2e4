// SPDX-License-Identifier: Apache-2.0
#include "precision/block_format.h"

#include <charconv>
#include <stdexcept>

namespace npusim::precision {
namespace {

constexpr std::int64_t kMaxBlock = 4096;
constexpr int kMaxMantissa = 16;

Format saturating(Format format) {
  format.overflow = Overflow::saturate;
  return format;
}

BlockFormat mx(const char* name, const char* element) {
  BlockFormat format;
  format.name = name;
  format.element = saturating(format_from_name(element));
  format.block = 32;
  format.scale = saturating(format_from_name("e8m0"));
  format.scale_rounding = ScaleRounding::floor;
  format.target = ScaleTarget::binade;
  format.symmetric = format.element.is_fixed_point();
  return format;
}

BlockFormat nvfp4() {
  BlockFormat format;
  format.name = "nvfp4";
  format.element = saturating(format_from_name("fp4_e2m1"));
  format.block = 16;
  format.scale = saturating(format_from_name("fp8_e4m3"));
  format.tensor_scale = saturating(fp32());
  return format;
}

const std::vector<BlockFormat>& known() {
  static const std::vector<BlockFormat> formats = {mx("mxfp8_e4m3", "fp8_e4m3"),
                                                   mx("mxfp8_e5m2", "fp8_e5m2"),
                                                   mx("mxfp6_e3m2", "fp6_e3m2"),
                                                   mx("mxfp6_e2m3", "fp6_e2m3"),
                                                   mx("mxfp4", "fp4_e2m1"),
                                                   mx("mxint8", "mxint8_element"),
                                                   nvfp4()};
  return formats;
}

/// A number without sign or leading zero at the front of the text, which it leaves.
std::optional<std::int64_t> take_number(std::string_view& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || text.front() == '0' || text.front() == '-') return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

bool take_word(std::string_view& text, std::string_view word) {
  if (text.substr(0, word.size()) != word) return false;
  text.remove_prefix(word.size());
  return true;
}

std::optional<BlockFormat> block_floating_point(std::string_view name) {
  std::string_view text = name;
  if (!take_word(text, "bfp")) return std::nullopt;
  const auto block = take_number(text);
  if (!block || !take_word(text, "m")) return std::nullopt;
  const auto mantissa = take_number(text);
  if (!mantissa || !text.empty() || *block < 2 || *block > kMaxBlock || *mantissa < 2 ||
      *mantissa > kMaxMantissa)
    return std::nullopt;
  BlockFormat format = mx(std::string(name).c_str(), "mxint8_element");
  format.block = *block;
  format.element.name = "m" + std::to_string(*mantissa);
  format.element.fraction_bits = static_cast<int>(*mantissa) - 1;
  format.element.bias = 0;  // the quantum is 2^(2 - M)
  return format;
}

bool is_element_name(const std::string& name) {
  for (const char* known_name : {"int8", "int4", "fp8_e4m3", "fp8_e5m2", "fp8_e4m3fnuz",
                                 "fp8_e5m2fnuz", "fp6_e3m2", "fp6_e2m3", "fp4_e2m1"})
    if (name == known_name) return true;
  return false;
}

/// The part behind the element's name: "_tensor", "_channel_fp16", "_block32_e8m0".
std::optional<BlockFormat> scaled(const std::string& element, std::string_view text) {
  BlockFormat format;
  format.element = saturating(format_from_name(element));
  format.symmetric = format.element.is_fixed_point();
  bool whole_tensor = false;
  if (take_word(text, "_tensor")) {
    whole_tensor = true;
  } else if (take_word(text, "_block")) {
    const auto block = take_number(text);
    if (!block || *block < 2 || *block > kMaxBlock) return std::nullopt;
    format.block = *block;
  } else if (!take_word(text, "_channel")) {
    return std::nullopt;
  }
  Format scale = fp32();
  if (!text.empty()) {
    if (text != "_fp16" && text != "_bf16" && text != "_fp32" && text != "_e8m0")
      return std::nullopt;
    scale = format_from_name(text.substr(1));
  }
  // A power of two below amax/max would saturate the largest elements by up to a factor of two.
  if (scale.is_scale()) format.scale_rounding = ScaleRounding::ceil;
  (whole_tensor ? format.tensor_scale : format.scale) = saturating(scale);
  return format;
}

std::optional<BlockFormat> scaled_format(std::string_view name) {
  for (const char* word : {"_tensor", "_channel", "_block"}) {
    const std::size_t at = name.find(word);
    if (at == std::string_view::npos) continue;
    const std::string element(name.substr(0, at));
    if (!is_element_name(element)) continue;
    auto format = scaled(element, name.substr(at));
    if (format) format->name = std::string(name);
    return format;
  }
  return std::nullopt;
}

}  // namespace

std::int64_t BlockFormat::blocks(std::int64_t terms) const {
  return block == kWholeRow ? (terms > 0 ? 1 : 0) : (terms + block - 1) / block;
}

double BlockFormat::bits_per_value() const {
  const bool shared = scale && block != kWholeRow;
  return element.bits() +
         (shared ? static_cast<double>(scale->bits()) / static_cast<double>(block) : 0.0);
}

bool BlockFormat::operator==(const BlockFormat& other) const {
  return element == other.element && block == other.block && scale == other.scale &&
         tensor_scale == other.tensor_scale && scale_rounding == other.scale_rounding &&
         target == other.target && symmetric == other.symmetric;
}

const std::vector<std::string>& named_block_formats() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const BlockFormat& format : known()) all.push_back(format.name);
    return all;
  }();
  return names;
}

bool names_block_format(std::string_view name) {
  for (const char* start : {"mx", "nv", "bfp"})
    if (name.substr(0, std::string_view(start).size()) == start) return name != "mxint8_element";
  for (const char* word : {"_tensor", "_channel", "_block"})
    if (name.find(word) != std::string_view::npos) return true;
  return false;
}

BlockFormat block_format_from_name(std::string_view name) {
  for (const BlockFormat& format : known())
    if (format.name == name) return format;
  if (auto format = block_floating_point(name)) return *format;
  if (auto format = scaled_format(name)) return *format;
  std::string names;
  for (const std::string& one : named_block_formats()) names += one + ", ";
  throw std::invalid_argument(
      "unknown block-scaled format \"" + std::string(name) + "\": known are " + names +
      "bfp<B>m<M> with B 2..4096, M 2..16, and <element>_tensor, <element>_channel, "
      "<element>_block<B>, each also with _fp16, _bf16, _fp32 or _e8m0 behind it, for int8, int4, "
      "fp8, fp6 and fp4 elements");
}

const std::vector<std::string>& scale_rounding_names() {
  static const std::vector<std::string> names = {"floor", "ceil", "rne"};
  return names;
}

ScaleRounding scale_rounding_from_name(std::string_view name) {
  const std::vector<std::string>& names = scale_rounding_names();
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] == name) return static_cast<ScaleRounding>(i);
  throw std::invalid_argument("unknown scale rounding \"" + std::string(name) +
                              "\": known are floor, ceil, rne");
}

void validate(const BlockFormat& format) {
  std::string broken;
  const auto rule = [&](bool holds, const char* text) {
    if (!holds) broken += (broken.empty() ? "" : "; ") + std::string(text);
  };
  validate(format.element);
  rule(!format.element.is_scale(), "elements are signed numbers");
  rule(format.element.overflow == Overflow::saturate, "elements saturate");
  rule(format.block == BlockFormat::kWholeRow || (format.block >= 2 && format.block <= kMaxBlock),
       "a block has 2..4096 elements");
  rule(format.scale || format.tensor_scale, "a scale of blocks or of the tensor");
  rule(!format.symmetric || format.element.is_fixed_point(), "symmetric is for fixed point");
  for (const auto& scale : {format.scale, format.tensor_scale}) {
    if (!scale) continue;
    validate(*scale);
    rule(!scale->is_fixed_point() && scale->has_nan() && scale->nan == NanResult::keep,
         "scales are floating-point or powers of two, with NaN");
    rule(scale->overflow == Overflow::saturate, "scales saturate");
    rule(scale->precision() <= 24, "scales have at most 24 significand bits");
  }
  if (!broken.empty())
    throw std::invalid_argument("block-scaled format \"" + format.name + "\": " + broken);
}

}  // namespace npusim::precision
