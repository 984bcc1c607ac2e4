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
    constant,             ///< value
    uniform,              ///< [low, high)
    normal,               ///< mean, stddev
    kaiming_normal,       ///< normal, mean (default 0), stddev = sqrt(2 / fan_in) (He et al. 2015)
    kaiming_uniform,      ///< uniform, bound = sqrt(6 / fan_in)
    xavier_normal,        ///< stddev = sqrt(2 / (fan_in + fan_out)) (Glorot & Bengio 2010)
    xavier_uniform,       ///< bound = sqrt(6 / (fan_in + fan_out))
    uniform_int,          ///< integers low .. high inclusive
    file,                 ///< .npy, or `tensor` of a .safetensors
    values,               ///< given one by one, exact
    calibrated_mean,      ///< running mean of a BatchNormalization: sim/calibration.h; 0 until then
    calibrated_variance,  ///< its running variance; 1 until then
    /// Tables of rotary embedding (Su et al. 2021): cos and sin of (low + p) * value^(-i / n) for
    /// position p along the last dimension but one and pair i of n along the last; value: base.
    rotary_cos,
    rotary_sin,
  };
  Kind kind = Kind::constant;
  double value = 0.0;
  double low = 0.0, high = 1.0;
  double mean = 0.0, stddev = 1.0;
  // Of the normal kinds: weight_structure.h.
  double filter_mean = 0.0;       ///< deviation of the filters' own means, in units of stddev
  double outlier_channels = 0.0;  ///< share of the channels of the last dimension
  double outlier_scale = 20.0;    ///< factor of their values
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
/// True for kinds whose values a calibration pass finds.
bool is_calibrated(Initializer::Kind kind);

/// fan_in/fan_out of a weight: [out, in/groups, kernel...] for rank > 2; rank 2 follows Gemm with
/// transB=1 ([out, in]). Integers and booleans take constants, uniform_int, values and files only.
/// Throws base::InputError for a file of another shape or a missing tensor. `parallel` may be
/// empty: everything on the caller's thread.
Tensor make_values(const Initializer& initializer, const Shape& shape, ElementType type,
                   const std::string& tensor_name, std::uint64_t seed,
                   const precision::ParallelFor& parallel = {});

/// The same values one by one, without the rest of the tensor (files are read whole): out[i] is
/// element indices[i].
void make_elements(const Initializer& initializer, const Shape& shape, ElementType type,
                   const std::string& tensor_name, std::uint64_t seed,
                   const std::vector<std::int64_t>& indices, double* out);

}  // namespace npusim::workloads
