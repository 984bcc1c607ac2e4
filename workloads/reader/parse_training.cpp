// SPDX-License-Identifier: Apache-2.0
#include "workloads/reader/syntax.h"

namespace npusim::workloads {
namespace {

/// The losses that this build can differentiate.
std::vector<std::string> known_losses() {
  std::vector<std::string> result;
  for (const char* name : {"SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss"}) {
    const Op* op = ops().find(name);
    if (op != nullptr && op->differentiable()) result.emplace_back(name);
  }
  return result;
}

}  // namespace

TrainingSpec parse_training(const base::ValueReader& value) {
  base::ObjectReader reader(value);
  TrainingSpec spec;
  spec.logits = reader.string("logits");
  spec.labels = reader.string("labels");
  if (const auto loss = reader.optional("loss")) {
    const std::vector<std::string> losses = known_losses();
    NPUSIM_CHECK(!losses.empty(), "no loss is registered");
    spec.loss = losses[loss->choice(losses)];
  }
  if (auto optimizer = reader.optional_object("optimizer")) {
    spec.optimizer = optimizer->choice<std::string>("kind", {{"sgd", "sgd"}});
    spec.learning_rate =
        optimizer->number("learning_rate", base::kNonNegativeNumber, spec.learning_rate);
    spec.weight_decay =
        optimizer->number("weight_decay", base::kNonNegativeNumber, spec.weight_decay);
    optimizer->finish();
  }
  reader.finish();
  return spec;
}

}  // namespace npusim::workloads
