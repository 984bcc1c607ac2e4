// SPDX-License-Identifier: Apache-2.0
// 20*log10 without the C library's log10, whose last bits differ between machines: plain binary64
// additions, multiplications and divisions, correct to about 1e-12 dB.
#pragma once

namespace npusim::precision {

/// Of a positive finite ratio of amplitudes.
double decibel(double ratio);

}  // namespace npusim::precision
