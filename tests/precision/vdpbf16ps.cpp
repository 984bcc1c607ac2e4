// SPDX-License-Identifier: Apache-2.0
// The only source of the tests that is compiled for AVX512_BF16: nothing shared is included here.
#include "vdpbf16ps.h"

#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

namespace npusim::precision::hardware {

#ifdef __AVX512BF16__

bool has_vdpbf16ps() {
  return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bf16") != 0;
}

Sums vdpbf16ps(const Sums& sums, const Pairs& a, const Pairs& b) {
  const __m512 result = _mm512_dpbf16_ps(_mm512_loadu_ps(sums.data()),
                                         reinterpret_cast<__m512bh>(_mm512_loadu_si512(a.data())),
                                         reinterpret_cast<__m512bh>(_mm512_loadu_si512(b.data())));
  Sums out;
  _mm512_storeu_ps(out.data(), result);
  return out;
}

#else

bool has_vdpbf16ps() {
  return false;
}

Sums vdpbf16ps(const Sums& sums, const Pairs&, const Pairs&) {
  return sums;  // never called: has_vdpbf16ps() is false
}

#endif

}  // namespace npusim::precision::hardware
