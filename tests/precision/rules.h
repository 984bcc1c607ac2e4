// SPDX-License-Identifier: Apache-2.0
// Formats and rules for the tests that hold precision/ against another implementation.
#pragma once

#include <sstream>
#include <string>
#include <vector>

#include "precision/rounding.h"

namespace npusim::precision::rules {

/// Named formats of at most 8 bits, and shapes that none of them has.
std::vector<Format> small_formats();
/// fp16, bf16 and other shapes of 9 to 16 bits.
std::vector<Format> wide_formats();
/// The two lists above.
std::vector<Format> tabulated_formats();

/// Every combination of overflow, subnormal and NaN rule that the format allows.
std::vector<Format> every_rule(const Format& format);

/// Name and rules, for messages.
std::string text_of(const Format& format);

/// Counts disagreements and keeps a description of the first.
class Disagreements {
 public:
  template <class Describe>
  void note(double got, double want, Describe describe) {
    ++seen_;
    if (same(got, want)) return;
    if (++count_ > 1) return;
    std::ostringstream text;
    text << std::hexfloat << describe() << ": got " << got << ", want " << want;
    first_ = text.str();
  }
  void add(const Disagreements& other);
  long count() const { return count_; }
  long seen() const { return seen_; }
  const std::string& first() const { return first_; }

 private:
  static bool same(double x, double y);
  long count_ = 0, seen_ = 0;
  std::string first_;
};

}  // namespace npusim::precision::rules
