// SPDX-License-Identifier: Apache-2.0
// Two runs of one graph, as documents: did bits move, and through what?
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json_value.h"

namespace npusim::sim {

/// Why two runs of one graph have different bits.
enum class BitsMoved {
  no,          ///< the outputs have the same bits
  mapping,     ///< the first op that differs sums in another order: its plan differs
  arithmetic,  ///< it sums in the same order
  unknown      ///< one side has no numerics, or another graph
};
const char* name_of(BitsMoved moved);

/// Where the bits of two runs part; `first_op` may be nullptr.
BitsMoved bits_moved(const base::JsonValue& before, const base::JsonValue& after,
                     std::string* first_op);

/// The first op, in execution order, of whose outputs some bit differs: all that was computed
/// before it is the same.
struct MovedTensor {
  std::string node, op, phase;
  std::string tensor;                     ///< its first output
  std::string plan_before, plan_after;    ///< of a product, else ""
  std::vector<std::string> inputs_moved;  ///< that it read with other values: weights, data
};
/// Absent when no bit differs, or when nobody can know (no numerics, another graph, or results
/// without hashes).
std::optional<MovedTensor> first_moved_tensor(const base::JsonValue& before,
                                              const base::JsonValue& after);

/// "first tensor whose bits differ: ..." with what is known of why.
std::string sentence_of(const MovedTensor& moved);

/// "; bits moved through the arithmetic, first in conv1", or "" where they did not or nobody knows.
std::string sentence_of(BitsMoved moved, const std::string& first_op);

}  // namespace npusim::sim
