// SPDX-License-Identifier: Apache-2.0
// How an op looks to a MAC array: `groups` independent products out[m][n] = sum_k A[m][k] *
// B[n][k]. m counts streamed positions (pixels, tokens), n output channels; the reduced dimensions
// are named so that a plan can order them.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "precision/reduction_plan.h"

namespace npusim::workloads {

enum class GemmRole { fprop, dgrad, wgrad, matmul };
const char* name_of(GemmRole role);

/// A sliding window over the m-side tensor: the k values of neighbouring positions overlap, so a
/// tile of positions needs far fewer distinct elements than m*k.
struct Window {
  std::int64_t images = 1;    ///< batch
  std::int64_t channels = 1;  ///< per group
  std::int64_t in_height = 1, in_width = 1;
  std::int64_t out_height = 1, out_width = 1;  ///< images*out_height*out_width = m
  std::int64_t kernel_height = 1, kernel_width = 1;
  std::int64_t stride_height = 1, stride_width = 1;
  std::int64_t dilation_height = 1, dilation_width = 1;
};

struct Contraction {
  GemmRole role = GemmRole::matmul;
  std::int64_t groups = 1;
  std::int64_t m = 1;
  std::int64_t n = 1;
  std::vector<precision::ReduceDim> dims;  ///< canonical K order
  int m_input = 0;                         ///< node input read as the streamed side
  int n_input = 1;                         ///< node input read as the stationary side
  int bias_input = -1;                     ///< node input added to the sums, per n; -1 none
  std::optional<Window> window;            ///< of the m side, when it is a convolution's image

  std::int64_t k() const;
  std::int64_t macs() const { return groups * m * n * k(); }
};

}  // namespace npusim::workloads
