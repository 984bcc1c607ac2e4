// SPDX-License-Identifier: Apache-2.0
#include "rules.h"

#include <cstring>
#include <stdexcept>

namespace npusim::precision::rules {
namespace {

Format changed(const char* base, NonFinite non_finite, int bias) {
  Format format = format_from_name(base);
  format.non_finite = non_finite;
  format.bias = bias;
  format.overflow = Overflow::saturate;
  format.name += "_changed";
  return format;
}

Format fixed_point(const char* base, int bias) {
  Format format = format_from_name(base);
  format.bias = bias;
  format.name += "_scaled";
  return format;
}

}  // namespace

std::vector<Format> small_formats() {
  std::vector<Format> all;
  for (const std::string& name : named_formats()) {
    const Format format = format_from_name(name);
    if (format.bits() <= 8) all.push_back(format);
  }
  for (const char* name : {"e2m1", "e2m5", "e3m1", "e3m4", "e6m1"})
    all.push_back(format_from_name(name));
  all.push_back(changed("e4m3", NonFinite::none, 9));
  all.push_back(changed("e3m2", NonFinite::nan_only, 3));
  all.push_back(changed("e2m1", NonFinite::fnuz, 2));
  all.push_back(fixed_point("int4", 5));
  return all;
}

std::vector<Format> wide_formats() {
  std::vector<Format> all;
  for (const char* name : {"fp16", "bf16", "e6m9", "e4m11", "e8m4", "e2m9"})
    all.push_back(format_from_name(name));
  all.push_back(changed("e5m8", NonFinite::nan_only, 20));
  return all;
}

std::vector<Format> tabulated_formats() {
  std::vector<Format> all = small_formats();
  for (const Format& format : wide_formats()) all.push_back(format);
  return all;
}

std::vector<Format> every_rule(const Format& format) {
  std::vector<Format> all;
  for (const Overflow overflow :
       {Overflow::infinity, Overflow::always_infinity, Overflow::saturate, Overflow::nan})
    for (const Subnormals subnormals :
         {Subnormals::keep, Subnormals::flush, Subnormals::flush_tiny_after,
          Subnormals::flush_tiny_before})
      for (const NanResult nan : {NanResult::keep, NanResult::zero}) {
        Format f = format;
        f.overflow = overflow;
        f.subnormals = subnormals;
        f.nan = nan;
        try {
          validate(f);
          all.push_back(f);
        } catch (const std::invalid_argument&) {
        }
      }
  return all;
}

std::string text_of(const Format& format) {
  static const char* const kOverflow[] = {"infinity", "always_infinity", "saturate", "nan"};
  static const char* const kSubnormals[] = {"keep", "flush", "tiny_after", "tiny_before"};
  return format.name + "/" + kOverflow[static_cast<int>(format.overflow)] + "/" +
         kSubnormals[static_cast<int>(format.subnormals)] +
         (format.nan == NanResult::zero ? "/nan_zero" : "");
}

void Disagreements::add(const Disagreements& other) {
  if (count_ == 0) first_ = other.first_;
  count_ += other.count_;
  seen_ += other.seen_;
}

bool Disagreements::same(double x, double y) {
  if (x != x || y != y) return x != x && y != y;
  return std::memcmp(&x, &y, sizeof x) == 0;
}

}  // namespace npusim::precision::rules
