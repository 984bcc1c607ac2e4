// SPDX-License-Identifier: Apache-2.0
// The same functions in wider registers, compiled for the instruction set in the file's name. Only
// detmath.cpp calls them, where the CPU has it. Whole registers only; what is left of `count` is
// not computed, the number computed comes back. SLEEF's `cinz` family has no fused operations, so
// every width gives the same bits.
#pragma once

namespace npusim::workloads::detmath {

int tanh_avx(const double* x, double* y, int count);
int exp_avx(const double* x, double* y, int count);
int tanh_avx512(const double* x, double* y, int count);
int exp_avx512(const double* x, double* y, int count);

}  // namespace npusim::workloads::detmath
