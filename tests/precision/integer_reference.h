// SPDX-License-Identifier: Apache-2.0
// Rounding by looking the value up: all numbers of a format in ascending order, with the points
// halfway between, compared as integers. Shares no code with precision/: only the description of a
// format is read. No floating-point operation takes part.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "precision/rounding.h"

namespace npusim::precision::integer_reference {

__extension__ typedef unsigned __int128 Wide;

/// (-1)^negative * magnitude * 2^exponent, or no finite number.
struct Exact {
  enum class Kind { finite, infinite, nan } kind = Kind::finite;
  bool negative = false;
  Wide magnitude = 0;
  int exponent = 0;
};

Exact exact(double x);
/// Exact in 128 bits, or std::overflow_error. The zero of x - x is -0 when rounding down.
Exact sum(const Exact& x, const Exact& y, Rounding rounding);
Exact product(const Exact& x, const Exact& y);
/// Sign, exponent and fraction of a binary64 put together; the number must fit it.
double as_double(const Exact& x);

class Reference {
 public:
  explicit Reference(const Format& format);
  ~Reference();

  /// The value of a code by the layout of the format.
  Exact value_of(std::uint64_t code) const;
  /// With sr, `random_bits` and a word as round_to takes it.
  double rounded(const Exact& x, Rounding rounding, int random_bits = 0,
                 std::uint32_t random = 0) const;
  double rounded(double x, Rounding rounding) const { return rounded(exact(x), rounding); }
  /// Of 2^random_bits random words, how many take |x| away from zero.
  std::uint64_t words_up(const Exact& x, int random_bits) const;
  /// A value beyond the largest number, by the rule of the format (also what infinities become).
  double overflowed(bool negative, Rounding rounding) const;
  double not_a_number() const;

  /// Magnitudes of one sign in ascending order and one step beyond, as binary64.
  std::vector<double> magnitudes(bool negative) const;

  /// Where |x| stands: twice the index of the magnitude at or below it, plus 1 from the point
  /// halfway on; exact when it is that magnitude or point. `hint` is a position not above it.
  struct Position {
    std::uint64_t at;
    bool exact;
  };
  Position position_of(const Exact& x, std::uint64_t hint) const;
  /// The result for a finite x at this position (scales: of either zero or above).
  double result_at(const Exact& x, const Position& position, Rounding rounding, int random_bits,
                   std::uint32_t random) const;

 private:
  Exact magnitude(std::uint64_t index) const;  ///< index last_: one step beyond the largest
  Wide key_at(std::uint64_t position) const;
  std::uint64_t last(bool negative) const { return negative ? last_negative_ : last_positive_; }
  bool goes_up(const Exact& x, const Position& position, Rounding rounding, int random_bits,
               std::uint32_t random) const;
  bool is_tiny(const Exact& x, std::uint64_t index, Rounding rounding, int random_bits,
               std::uint32_t random) const;

  Format format_;
  std::uint64_t last_positive_ = 0, last_negative_ = 0;  ///< indices of the largest magnitudes
  std::vector<Wide> keys_;                               ///< of formats of at most 16 bits
  std::unique_ptr<Reference> lower_;                     ///< the format with one more binade below
};

}  // namespace npusim::precision::integer_reference
