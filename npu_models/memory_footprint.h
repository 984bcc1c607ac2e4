// SPDX-License-Identifier: Apache-2.0
// DRAM a run needs, by what it is for. Weights, optimizer states and caches stay; activations,
// gradients and workspace occupy memory from the op that writes them to the last that reads them,
// and those that do not live together share it (buffer_plan.h). Not modelled: memory that a driver
// or a compiled program takes.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace npusim::npu {

struct MappedGraph;

enum class MemoryKind {
  weights,  ///< that ops read: working copies, and what is kept and not trained
  master_weights,
  optimizer_state,
  state,        ///< kept between runs: key-value caches
  activations,  ///< and inputs
  activation_gradients,
  weight_gradients,    ///< as the backward pass writes them
  unscaled_gradients,  ///< copies behind loss scaling or clipping
  workspace,           ///< partial sums that do not fit on the chip; rearranged operands
};
inline constexpr std::size_t kMemoryKinds = 9;
const char* name_of(MemoryKind kind);
const std::array<MemoryKind, kMemoryKinds>& memory_kinds();

class BytesByKind {
 public:
  std::int64_t& operator[](MemoryKind kind) { return bytes_[static_cast<std::size_t>(kind)]; }
  std::int64_t operator[](MemoryKind kind) const { return bytes_[static_cast<std::size_t>(kind)]; }
  std::int64_t total() const;

 private:
  std::array<std::int64_t, kMemoryKinds> bytes_{};
};

struct MemoryFootprint {
  BytesByKind most;                 ///< alive at once, kind by kind: at different ops
  std::int64_t most_gradients = 0;  ///< of all three kinds together
  BytesByKind at_peak;              ///< alive together at peak_op
  std::string peak_op;              ///< where most bytes are alive
  /// What the plan needs: all that stays, and buffers for the rest. At least at_peak.total().
  std::int64_t peak_bytes = 0;
};

/// What is alive while one op runs.
struct MemoryMoment {
  std::string op;
  BytesByKind bytes;
};

MemoryFootprint footprint_of(const MappedGraph& mapped);

/// In execution order; an op's epilogue is part of it.
std::vector<MemoryMoment> memory_over_time(const MappedGraph& mapped);

}  // namespace npusim::npu
