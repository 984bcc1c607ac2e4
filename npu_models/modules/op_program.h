// SPDX-License-Identifier: Apache-2.0
// What one mapped op reads and writes in DRAM, by what the engines do with it, and where the
// tensors lie. Tensors get consecutive addresses (64-byte aligned) that are never reused; a tile's
// address is the proportional offset into its tensor. Knows no SystemC.
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "npu_models/gemm_traffic.h"
#include "npu_models/mapping.h"

namespace npusim::npu::model {

using workloads::TensorId;

struct OpProgram {
  TensorId m_side = workloads::kNoTensor, n_side = workloads::kNoTensor;  ///< matrix ops
  GemmElementBytes element_bytes;
  std::vector<TensorId> whole_inputs;  ///< matrix: read once (bias, per-channel parameters)
  std::vector<TensorId>
      tiled_inputs;  ///< matrix: extra operands as large as the output; vector, host: all
  std::vector<TensorId> outputs;  ///< stored tile by tile
};

/// Rounded up to where a tensor may begin.
std::uint64_t aligned(std::int64_t bytes);

/// Tensors as the engines see them: size, address, and the tensor whose bytes a view shows.
class TensorLayout {
 public:
  explicit TensorLayout(const MappedGraph& mapped);

  std::int64_t bytes(TensorId id) const { return bytes_[static_cast<std::size_t>(id)]; }
  std::uint64_t address(TensorId id) const { return address_[static_cast<std::size_t>(root(id))]; }
  /// Of weights that are stored transformed, for convolutions by Winograd, in so many bytes.
  std::uint64_t transformed_address(TensorId id, std::int64_t bytes) const {
    return transformed_.at({id, bytes});
  }
  std::uint64_t end_address() const { return end_; }  ///< partial sums spill behind it
  /// The tensor that was written; itself unless a view made it.
  TensorId root(TensorId id) const { return root_[static_cast<std::size_t>(id)]; }

 private:
  std::vector<std::int64_t> bytes_;
  std::vector<std::uint64_t> address_;
  std::vector<TensorId> root_;
  /// Addresses; convolutions with different output tiles may share weights.
  std::map<std::pair<TensorId, std::int64_t>, std::uint64_t> transformed_;
  std::uint64_t end_ = 0;
};

OpProgram program_of(const MappedGraph& mapped, const MappedOp& op);

}  // namespace npusim::npu::model
