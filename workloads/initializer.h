// SPDX-License-Identifier: Apache-2.0
// How a tensor gets its values: seeded generators and files. A value depends on (seed, tensor name,
// element index) only, through a counter-based generator, never on order or threads. Generated
// values are rounded to binary32, as checkpoints hold them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "precision/gemm.h"
#include "workloads/tensor.h"

namespace npusim::workloads {

struct Initializer {
  enum class Kind {
    constant,         ///< value
    uniform,          ///< [low, high)
    normal,           ///< mean, stddev
    kaiming_normal,   ///< normal, mean (default 0), stddev = sqrt(2 / fan_in) (He et al. 2015)
    kaiming_uniform,  ///< uniform, bound = sqrt(6 / fan_in)
    xavier_normal,    ///< stddev = sqrt(2 / (fan_in + fan_out)) (Glorot & Bengio 2010)
    xavier_uniform,   ///< bound = sqrt(6 / (fan_in + fan_out))
    uniform_int,      ///< integers low .. high inclusive
    file,             ///< .npy, or `tensor` of a .safetensors
    values,           ///< given one by one, exact
    /// Tables of rotary embedding (Su et al. 2021): cos and sin of (low + p) * value^(-i / n) for
    /// position p along the last dimension but one and pair i of n along the last; value: base.
    rotary_cos,
    rotary_sin,
  };
  Kind kind = Kind::constant;
  double value = 0.0;
  double low = 0.0, high = 1.0;
  double mean = 0.0, stddev = 1.0;
  std::string path;    ///< absolute or relative to the working directory (the reader resolves it)
  std::string tensor;  ///< name inside a .safetensors; empty: the tensor's own name
  /// Name of the random stream; empty: the tensor's own name. A master copy draws the values that
  /// the weight would have drawn.
  std::string stream;
  std::shared_ptr<const std::vector<double>> values;  ///< of kind values, row-major
};

const char* name_of(Initializer::Kind kind);
/// True for kinds that scale with the fans of a weight of rank 2 or more.
bool needs_fans(Initializer::Kind kind);

/// fan_in/fan_out of a weight: [out, in/groups, kernel...] for rank > 2; rank 2 follows Gemm with
/// transB=1 ([out, in]). Integers and booleans take constants, uniform_int, values and files only.
/// Throws base::InputError for a file of another shape or a missing tensor. `parallel` may be
/// empty: everything on the caller's thread.
Tensor make_values(const Initializer& initializer, const Shape& shape, ElementType type,
                   const std::string& tensor_name, std::uint64_t seed,
                   const precision::ParallelFor& parallel = {});

}  // namespace npusim::workloads
