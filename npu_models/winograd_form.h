// SPDX-License-Identifier: Apache-2.0
// A convolution as the products of Winograd's minimal filtering: what a file says about them, and
// what one mapped product has. workloads/winograd.h has the transforms, winograd_mapping.h the
// rules.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "precision/rounding.h"
#include "workloads/contraction.h"

namespace npusim::npu {

/// Who transforms inputs and sums (and weights, where that is not done before the run).
enum class WinogradStage {
  vector_unit,  ///< between scratchpad and arrays, in its own cycles
  array_edge,   ///< adders on the way into and out of the arrays, without cycles of their own
};
const char* name_of(WinogradStage stage);

/// Section `mapping.winograd`. Off where no output tile is listed.
struct WinogradOptions {
  std::vector<std::int64_t> output_tiles;  ///< sides: 2, 4
  WinogradStage stage = WinogradStage::vector_unit;
  bool offline_weights = true;                    ///< transformed before the run and stored so
  std::optional<precision::Format> arithmetic{};  ///< of transforms; absent: the recipe's internal
};

struct WinogradForm {
  std::int64_t outputs = 2;  ///< side of an output tile
  WinogradStage stage = WinogradStage::vector_unit;
  bool offline_weights = true;
  precision::Arithmetic arithmetic;
  workloads::Contraction convolution;  ///< what it stands for

  std::int64_t points() const { return (outputs + 2) * (outputs + 2); }
  std::int64_t output_pixels() const { return outputs * outputs; }
  /// Numbers of a filter in DRAM, and those that an array's edge reads from the scratchpad.
  std::int64_t stored_weights() const { return offline_weights ? points() : 9; }
  std::int64_t read_weights() const {
    return stage == WinogradStage::array_edge ? stored_weights() : points();
  }
};

/// "winograd 2x2".
std::string name_of(const WinogradForm& form);
/// All that is in the bits: "winograd 2x2, transforms in fp32, weights offline".
std::string describe(const WinogradForm& form);

}  // namespace npusim::npu
