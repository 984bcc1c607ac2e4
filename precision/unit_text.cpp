// SPDX-License-Identifier: Apache-2.0
#include "precision/unit_text.h"

#include <algorithm>
#include <stdexcept>

namespace npusim::precision {
namespace {

/// Is the layout the one that the name stands for?
bool is_named(const Format& format) {
  try {
    Format named = format_from_name(format.name);
    named.overflow = format.overflow;
    named.subnormals = format.subnormals;
    named.nan = format.nan;
    return named == format;
  } catch (const std::invalid_argument&) {
    return false;
  }
}

std::string describe(const Alignment& alignment) {
  static const char* const kCut[] = {" truncate", " floor"};
  static const char* const kBy[] = {"", " by value", " by scale"};
  std::string text = " F" + std::to_string(alignment.fraction_bits) +
                     kCut[static_cast<int>(alignment.cut)] + kBy[static_cast<int>(alignment.by)];
  if (alignment.running_fraction_bits)
    text += " running F" + std::to_string(*alignment.running_fraction_bits);
  if (alignment.running_cut) text += kCut[static_cast<int>(*alignment.running_cut)];
  if (alignment.running_gap) text += " gap " + std::to_string(*alignment.running_gap);
  if (alignment.lowest_exponent) text += " from 2^" + std::to_string(*alignment.lowest_exponent);
  return text;
}

std::string describe(const Stage& stage) {
  static const char* const kCombine[] = {"chain", "tree", "aligned", "exact"};
  std::string text = stage.terms > 0 ? std::to_string(stage.terms) + " " : std::string();
  text += kCombine[static_cast<int>(stage.combine)];
  if (stage.step > 0) text += " by " + std::to_string(stage.step);
  if (stage.combine == Combine::aligned) text += describe(stage.alignment);
  if (stage.starts_from_zero) text += " from zero";
  return text + (stage.rounds ? " -> " + describe(stage.arithmetic) : " -> unrounded");
}

std::string describe(const Slices& slices) {
  std::string text;
  for (const Arithmetic& slice : slices) text += (text.empty() ? "" : "+") + describe(slice);
  return text.empty() ? "whole" : text;
}

std::string describe_reading(const MacUnit& unit) {
  std::string text = unit.flush_a ? " daz a" : "";
  if (unit.flush_b) text += " daz b";
  if (unit.flush_c) text += " daz c";
  if (unit.c) text += " c " + describe(*unit.c);
  if (!unit.order.empty()) text += " order";
  for (const int index : unit.order) text += " " + std::to_string(index);
  if (unit.scales)
    text += " scales " + describe(unit.scales->format) + " a block of " +
            std::to_string(unit.scales->block) + " after " +
            std::to_string(unit.scales->after_stages);
  if (!unit.passes.order.empty()) {
    text += " slices " + describe(unit.slices_a) + " * " + describe(unit.slices_b) + " passes";
    for (const auto& [a, b] : unit.passes.order)
      text += " " + std::to_string(a) + "*" + std::to_string(b);
    text += unit.passes.innermost ? " innermost" : " outermost";
  }
  return text;
}

}  // namespace

std::string describe(const Format& format) {
  static const char* const kFlush[] = {"", " flush", " flush_tiny_after", " flush_tiny_before"};
  static const char* const kOverflow[] = {"", " always_infinity", " saturate", " nan"};
  std::string text = format.name;
  if (!is_named(format)) {
    text += "{";
    for (const int value : {format.exponent_bits, format.fraction_bits, format.bias,
                            static_cast<int>(format.non_finite)})
      text += std::to_string(value) + ",";
    text.back() = '}';
  }
  text += kFlush[static_cast<int>(format.subnormals)];
  text += kOverflow[static_cast<int>(format.overflow)];
  if (format.nan == NanResult::zero) text += " nan_is_zero";
  return text;
}

std::string describe(const Arithmetic& arithmetic) {
  std::string rounding = name_of(arithmetic.rounding);
  if (arithmetic.random_bits > 0) rounding += std::to_string(arithmetic.random_bits);
  const std::string format = describe(arithmetic.format);
  const std::size_t rules = std::min(format.find(' '), format.size());
  return format.substr(0, rules) + " " + rounding + format.substr(rules);
}

std::string describe(const MacUnit& unit) {
  std::string text = describe(unit.a) + "*" + describe(unit.b) + describe_reading(unit);
  text += unit.product ? " product " + describe(*unit.product) : std::string(" exact");
  if (unit.product_limit) text += " infinite from 2^" + std::to_string(*unit.product_limit);
  for (const Stage& stage : unit.stages) text += " | " + describe(stage);
  return text;
}

}  // namespace npusim::precision
