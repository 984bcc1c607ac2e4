// SPDX-License-Identifier: Apache-2.0
// Two result documents side by side: which runs stand on one side only, which values differ, and
// whether bits moved through the mapping or through the arithmetic.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json_value.h"
#include "sim/bits_moved.h"

namespace npusim::sim {

struct Change {
  std::string pointer;          ///< into the run; ops and outputs by their name
  std::string before, after;    ///< as text; "(absent)"
  std::optional<double> ratio;  ///< after / before, of numbers that are not 0
};

struct RunDifference {
  std::string run;  ///< "npu / workload / mode / recipe"
  enum class Side { both, only_before, only_after } side = Side::both;
  std::vector<Change> changes;
  BitsMoved bits = BitsMoved::unknown;
  std::string first_op;  ///< whose bits differ first; "" if none does
  std::optional<MovedTensor> moved;
  /// Ops in formats that the NPU does not declare, on which side.
  bool hypothetical_before = false, hypothetical_after = false;
};

struct ResultDifference {
  std::vector<RunDifference> runs;  ///< those of `before`, then what only `after` has
  bool empty() const;
};

/// Runs are matched by NPU, workload, mode, recipe and scenario; the n-th of equal ones by n. What
/// is not deterministic (`host`, `tool`) is not compared.
ResultDifference difference_of(const base::JsonValue& before, const base::JsonValue& after);

/// details: every value; otherwise those of single ops are counted.
std::string text_of(const ResultDifference& difference, bool details);
std::string markdown_of(const ResultDifference& difference, bool details);
base::JsonValue json_of(const ResultDifference& difference);

}  // namespace npusim::sim
