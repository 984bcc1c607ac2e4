// SPDX-License-Identifier: Apache-2.0
// Executes a mapped graph in the machine's arithmetic and in FP64 side by side. Each product runs
// through the MAC unit and reduction plan that its mapping emitted; each tensor is rounded to its
// storage format.
//
// Host ops compute in the recipe's internal precision; products that fall to the host run as an
// FP32 fused chain in canonical K order.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "npu_models/mapping.h"
#include "precision/gemm.h"
#include "sim/calibration.h"
#include "sim/result.h"
#include "workloads/recipe.h"

namespace npusim::sim {

/// Default of --max-numeric-macs: some ten seconds of work.
inline constexpr std::int64_t kMostNumericMacs = 100'000'000'000;
/// Of tensor values, for graphs that are computed whole. A fixed figure: whether a run is sampled
/// must not depend on the machine.
inline constexpr double kMostNumericBytes = 12e9;

workloads::Initializer standard_normal();

struct NumericOptions {
  std::uint64_t seed = 0;
  std::map<std::string, std::string> files;  ///< tensor name -> .npy that replaces its initialiser
  std::string weights;                       ///< .safetensors, or empty
  /// Of the graph before it was mapped (calibration.h), so that every design gets the same; absent:
  /// of the mapped one.
  std::shared_ptr<const CalibratedValues> calibrated;
  /// Above so many MACs, or kMostNumericBytes of tensors, products are sampled
  /// (sampled_numerics.h).
  std::int64_t most_macs = std::numeric_limits<std::int64_t>::max();
  workloads::Initializer activations = standard_normal();  ///< of sampled products
  std::optional<TaskTensors> task;                         ///< whose scores are looked at
  std::string dump_folder;  ///< <tensor>.npy of every graph output, or empty
  std::function<void(double macs, const std::string& node)> progress;
  std::function<bool()> interrupted;
};

/// True when products of the graph are sampled under these options.
bool is_sampled(const workloads::Graph& graph, const NumericOptions& options);

/// Bytes of tensor values alive at the worst moment, for all evaluations together.
double numeric_bytes(const workloads::Graph& graph);

/// Throws base::InputError when the tensors do not fit this machine's memory (stating both figures)
/// or a file does not fit its tensor; Interrupted.
Numerics execute(const npu::MappedGraph& mapped, const workloads::Recipe& recipe,
                 const NumericOptions& options, const precision::ParallelFor& parallel);

}  // namespace npusim::sim
