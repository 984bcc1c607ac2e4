// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>

#include "precision/kernels/dispatch.h"
#include "precision/rounding.h"

namespace npusim::precision {
namespace {

/// One NaN: the kernels' integer arithmetic must not meet others.
double canonical(double x) {
  return x == x ? x : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

void round_array(const double* in, double* out, long count, const Arithmetic& arithmetic) {
  const auto lanes = kernels::double_arithmetic(arithmetic);
  if (!lanes) {
    for (long i = 0; i < count; ++i) out[i] = round_to(in[i], arithmetic);
    return;
  }
  constexpr long kLanes = kernels::kDoubleLanes;
  constexpr long kBlock = 16 * kLanes;
  const kernels::KernelSet set = kernels::chosen_kernels();
  alignas(64) double block[kBlock] = {};
  for (long at = 0; at < count; at += kBlock) {
    const long length = std::min(kBlock, count - at);
    for (long i = 0; i < length; ++i) block[i] = canonical(in[at + i]);
    set.round(*lanes, block, (length + kLanes - 1) / kLanes * kLanes);
    for (long i = 0; i < length; ++i) out[at + i] = canonical(block[i]);
  }
}

}  // namespace npusim::precision
