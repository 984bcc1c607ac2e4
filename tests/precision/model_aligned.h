// SPDX-License-Identifier: Apache-2.0
// Second model of the published matrix units that align their terms, in 64-bit integers.
//   T-FDPA(K, F, rho), NVIDIA: Khattak & Mikaitis, arXiv:2512.07004; Xie et al., arXiv:2511.10909
//   the same with block scales (mxf8f6f4, mxf4, nvf4), TR-FDPA, AMD CDNA3: arXiv:2511.10909
// Blocks are chained: the result of one is c of the next. Short blocks have zero terms.
#pragma once

#include <optional>

#include "long_sum.h"
#include "unit_models.h"

namespace npusim::precision::model {

struct TFdpa {
  Float operands;
  int terms;          ///< K
  int fraction_bits;  ///< F
  Rule result;        ///< rho
  Float c;            ///< how c is decoded
  std::optional<int> lowest_exponent{};
  std::optional<Float> b{};  ///< of the second operand, where it is another
};
double t_fdpa_chain(const TFdpa& unit, const double* a, const double* b, std::size_t n, double c);
double t_fdpa_chain(const TFdpa& unit, const Dot& dot);
/// mxf8f6f4: an E8M0 scale for 32 elements of each operand adds to the exponents.
double scaled_t_fdpa_chain(const TFdpa& unit, const Dot& dot);
/// mxf4 and nvf4: exact sums of 16 products times the scales, aligned by the scales' exponents.
double scaled_groups_chain(const TFdpa& unit, const Float& scale, const Dot& dot);
/// FP8 on the FP16 pipe (mma.sync m16n8k32): k mod 4 in {0, 1}, then {2, 3}, from 0; then c.
double mma_fp8_chain(const TFdpa& unit, const Rule& last, const Dot& dot);

double tr_fdpa_chain(const Float& operands, int terms, const Dot& dot);
/// FP8: even and odd products apart.
double tr_fdpa_fp8_chain(const Float& operands, const Dot& dot);

}  // namespace npusim::precision::model
