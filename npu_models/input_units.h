// SPDX-License-Identifier: Apache-2.0
// The MAC unit behind each operand format, or pair of formats: described once for the array
// (product, inner_stages, accumulator), or named for an input as unit files, one for each
// accumulator format it offers. What an input's units multiply is what the input takes: two
// formats, the streamed operand's and the stationary one's, and blocks of K that share a scale.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "npu_models/npu_spec.h"
#include "workloads/contraction.h"
#include "workloads/graph.h"

namespace npusim::npu {

struct MappedOp;

/// What a product reads.
struct OperandFormats {
  OperandFormats(const precision::Format& both) : streamed(both), stationary(both) {}  // NOLINT
  OperandFormats(precision::Format streamed_of, precision::Format stationary_of)
      : streamed(std::move(streamed_of)), stationary(std::move(stationary_of)) {}

  precision::Format streamed, stationary;
  std::int64_t scale_block = 0;  ///< consecutive terms of K that share a scale; 0: no scales
  precision::Format scale{};

  /// "bf16", "fp8_e4m3 x fp8_e5m2", "fp8_e4m3 in blocks of 32 with e8m0 scales".
  std::string name() const;
};

OperandFormats operands_of(const InputMode& mode);

/// Of a product of a graph, as its tensors are stored.
OperandFormats operands_of(const workloads::Graph& graph, const workloads::Node& node,
                           const workloads::Contraction& contraction,
                           const std::vector<precision::Arithmetic>& storage);

/// nullptr when the array does not take these operands, in this order of sides.
const InputMode* find_input(const MacArraySpec& array, const OperandFormats& input);

/// Accumulator formats that an operand format can be summed in.
std::vector<precision::Format> accumulators_of(const MacArraySpec& array, const InputMode& mode);

/// The one used where a recipe names none: the array's default, or the input's first unit.
precision::Format default_accumulator(const MacArraySpec& array, const OperandFormats& input);

/// The array with the arithmetic that it has for one input and accumulator. A systolic column whose
/// unit reduces all its rows before it accumulates makes no cuts of its own: the unit has them.
MacArraySpec array_as(const MacArraySpec& array, const OperandFormats& input,
                      const precision::Format& accumulator);

/// The unit that product, stages and accumulator of the array's own description make.
precision::MacUnit described_unit(const MacArraySpec& array, const InputMode& mode,
                                  const precision::Format& accumulator);

/// The MAC unit for some operands (its a is the streamed one) and accumulator format.
precision::MacUnit unit_of(const NpuSpec& npu, const OperandFormats& input,
                           const precision::Format& accumulator);
/// The unit with its operands in the other order.
precision::MacUnit exchanged(precision::MacUnit unit);

/// Multiply-accumulates a cycle of all arrays with these operands, all passes counted; 0 when they
/// are not an input.
double peak_macs_per_cycle(const NpuSpec& npu, const OperandFormats& input);
/// The same for the unit of a mapped product, whichever side it names first.
double peak_macs_per_cycle(const NpuSpec& npu, const precision::MacUnit& unit);
/// The same for a mapped op, whose operands may be hypothetical.
double peak_macs_per_cycle(const NpuSpec& npu, const MappedOp& op);

}  // namespace npusim::npu
