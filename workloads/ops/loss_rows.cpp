// SPDX-License-Identifier: Apache-2.0
#include "workloads/ops/loss_rows.h"

namespace npusim::workloads {

AttributeSpec ignore_index_attribute() {
  return {"ignore_index", kNoIgnoredTarget, false, "target that does not count; default none"};
}

AttributeSpec reduction_attribute() {
  return {"reduction", std::string("mean"), false, "mean, sum or none"};
}

void check_loss(const NodeView& view, const Shape& scores, const LossInputs& inputs) {
  if (scores.size() < 2)
    shape_error("the scores must have rank 2 or more (N, C, ...), not shape " + to_string(scores));
  Shape wanted = scores;
  wanted.erase(wanted.begin() + 1);
  const TensorInfo& targets = view.input(inputs.targets);
  if (targets.shape != wanted || !is_integer(targets.type))
    shape_error("the targets " + targets.name + " must be integers (int64) of shape " +
                to_string(wanted));
  if (view.has_input(inputs.weights) && view.input(inputs.weights).shape != Shape{scores[1]})
    shape_error("the weights " + view.input(inputs.weights).name + " must have shape [" +
                std::to_string(scores[1]) + "]");
  const std::string& reduction = view.text("reduction");
  if (reduction != "mean" && reduction != "sum" && reduction != "none")
    shape_error("attribute reduction \"" + reduction + "\" is none of mean, sum, none");
}

Shape reduced_shape(const NodeView& view, const Shape& targets) {
  return view.text("reduction") == "none" ? targets : Shape{};
}

LossRows::LossRows(const Evaluation& e, const Shape& scores, const LossInputs& inputs)
    : rows_(rows_along(scores, 1)),
      targets_(e.inputs[static_cast<std::size_t>(inputs.targets)]),
      weights_(e.view.has_input(inputs.weights) ? e.inputs[static_cast<std::size_t>(inputs.weights)]
                                                : nullptr),
      ignored_(e.view.integer("ignore_index")),
      mean_(e.view.text("reduction") == "mean"),
      each_(e.view.text("reduction") == "none") {}

std::optional<std::int64_t> LossRows::target(std::int64_t row) const {
  const auto target = static_cast<std::int64_t>(targets_->values[static_cast<std::size_t>(row)]);
  if (target == ignored_) return std::nullopt;
  if (target < 0 || target >= rows_.length)
    throw base::InputError("target " + std::to_string(target) + " of row " + std::to_string(row) +
                               " is outside 0.." + std::to_string(rows_.length - 1),
                           "out-of-range");
  return target;
}

double LossRows::divisor(const precision::Rounder& internal) const {
  if (!mean_) return 1.0;
  if (!weighted() && ignored_ == kNoIgnoredTarget) return static_cast<double>(rows_.rows());
  double sum = 0.0;
  for (std::int64_t row = 0; row < rows_.rows(); ++row)
    if (const auto counted = target(row)) sum = internal(sum + weight(*counted));
  return sum;
}

double LossRows::scale(std::int64_t row, std::int64_t target, double shared, const Tensor& dloss,
                       const precision::Rounder& internal) const {
  const double factor = each_ ? dloss.values[static_cast<std::size_t>(row)] : shared;
  return weighted() ? internal(factor * weight(target)) : factor;
}

}  // namespace npusim::workloads
