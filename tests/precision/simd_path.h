// SPDX-License-Identifier: Apache-2.0
// Forces the vector path for the life of an object, as a user does with NPUSIM_SIMD.
#pragma once

#include <cstdlib>
#include <string>
#include <vector>

#include "precision/gemm.h"

namespace npusim::precision {

class ForcedSimd {
 public:
  explicit ForcedSimd(const char* path) { setenv("NPUSIM_SIMD", path, 1); }
  ~ForcedSimd() { unsetenv("NPUSIM_SIMD"); }
  ForcedSimd(const ForcedSimd&) = delete;
  ForcedSimd& operator=(const ForcedSimd&) = delete;
};

/// The paths this machine can run.
inline std::vector<std::string> simd_paths() {
  std::vector<std::string> paths;
  for (const char* path : {"baseline", "avx2", "avx512"}) {
    const ForcedSimd forced(path);
    if (path == std::string(simd_path())) paths.push_back(path);
  }
  return paths;
}

}  // namespace npusim::precision
