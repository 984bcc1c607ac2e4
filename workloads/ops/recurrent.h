// SPDX-License-Identifier: Apache-2.0
// What the recurrent ops and their decomposition share.
#pragma once

#include <vector>

#include "workloads/op.h"
#include "workloads/ops/gate_function.h"

namespace npusim::workloads {

enum class Cell { rnn, gru, lstm };

struct RecurrentShape {
  std::int64_t steps, batch, inputs, hidden, directions, gates;
  bool batch_first;

  std::int64_t gate_rows() const { return gates * hidden; }
  /// Offset of (step, batch) in X and of (step, direction, batch) in Y, in rows.
  std::int64_t x_row(std::int64_t t, std::int64_t b) const {
    return batch_first ? b * steps + t : t * batch + b;
  }
  std::int64_t y_row(std::int64_t t, std::int64_t d, std::int64_t b) const {
    return batch_first ? (b * steps + t) * directions + d : (t * directions + d) * batch + b;
  }
  std::int64_t state_row(std::int64_t d, std::int64_t b) const {
    return batch_first ? b * directions + d : d * batch + b;
  }
  Shape y() const {
    return batch_first ? Shape{batch, steps, directions, hidden}
                       : Shape{steps, directions, batch, hidden};
  }
  Shape state() const {
    return batch_first ? Shape{batch, directions, hidden} : Shape{directions, batch, hidden};
  }
};

/// Names of the ops that decompose_recurrent() uses.
std::vector<std::string> recurrent_parts();

/// The op unrolled into Gemms, one a step, and element-wise ops, all differentiable: how it runs on
/// an NPU without it, and how it is trained. Throws base::InputError for sequence lengths, which
/// would make the number of steps depend on values.
std::vector<TensorId> decompose_recurrent(DecompositionBuilder& d, Cell cell,
                                          const RecurrentShape& shape,
                                          const std::vector<GateFunction>& functions);

}  // namespace npusim::workloads
