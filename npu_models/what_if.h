// SPDX-License-Identifier: Apache-2.0
// --what-if: formats that an NPU does not declare run as the nearest that it does. What for: the
// bits of another format in this array's order of sums, and what its rate would be.
//
// Nearest, of operands (the first rule that tells two inputs apart decides):
//   1. with block scales where the operands have them, without where they have none: a must
//   2. of their kind: floating or fixed point
//   3. as wide in memory (the wider operand, in bytes), else the next wider, else the widest
//   4. least difference in exponent bits, over both operands; then blocks of as many terms
//   5. first in the file
// Of accumulators, storage and steps inside vector ops: the same without scales.
//
// Cycles: rate, passes, cycles a step and accumulator latency are those of the input that stands
// in. Bytes are those of the formats asked for, in DRAM, scratchpad and accumulator memory, so
// tiles and transfers are the stand-in's only where both are as wide. Energy is that of the formats
// asked for, from the file's entries or the table (energy.h); no area is added.
//
// Bits: the unit of the input that stands in, with other operand formats. Kept are its stages and
// how each combines and rounds, order and grouping of terms, rounding of products, alignments,
// limits, flushes (at the formats' own smallest normal number), accumulator and where scales join.
// Exchanged are the operands' formats, block and format of scales, and, where the recipe names an
// accumulator that is not offered, the format of the last stage; a bias is then read in it.
// Fixed-point sums hold no fractions: floating operands on an array that has no others are summed
// in FP32, which is labelled too.
//
// Refused, so that the op stays unsupported: operands that no unit can hold exactly (validate() of
// precision/mac_unit.h says why), operands cut into slices that would not hold them, block scales
// where no input has them, and what does not fit the buffers. Ops, functions and shapes that the
// NPU does not have are no formats and stay unsupported too. What runs without stand-ins, on the
// host as well, runs as it does without --what-if.
#pragma once

#include <optional>
#include <vector>

#include "npu_models/input_units.h"
#include "npu_models/npu_spec.h"
#include "workloads/graph.h"
#include "workloads/recipe.h"

namespace npusim::npu {

/// Of the candidates (at least one).
const precision::Format& nearest_format(const std::vector<precision::Format>& candidates,
                                        const precision::Format& wanted);

/// nullptr: none can stand in.
const InputMode* nearest_input(const MacArraySpec& array, const OperandFormats& wanted);

bool is_hypothetical(const InputMode& mode);

/// The input that takes these operands as the nearest of the NPU, and sums them in its accumulators
/// and the one given. Throws std::invalid_argument, which says why none can.
InputMode hypothetical_input(const NpuSpec& npu, const OperandFormats& operands,
                             const std::optional<precision::Format>& accumulator);

/// The NPU with what the ops of the graph that cannot run need: inputs, and the recipe's
/// accumulator. `declared` is the NPU as it was.
NpuSpec with_hypothetical_inputs(const NpuSpec& npu, const workloads::Graph& graph,
                                 const workloads::Recipe& recipe);

}  // namespace npusim::npu
