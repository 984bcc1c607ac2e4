// SPDX-License-Identifier: Apache-2.0
#include "workloads/reader/syntax.h"
#include "workloads/training/loss.h"

namespace npusim::workloads {
namespace {}  // namespace

TrainingSpec parse_training(const base::ValueReader& value) {
  base::ObjectReader reader(value);
  TrainingSpec spec;
  spec.logits = reader.string("logits");
  spec.labels = reader.string("labels");
  if (const auto loss = reader.optional("loss"))
    spec.loss = loss_names()[loss->choice(loss_names())];
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
