// SPDX-License-Identifier: Apache-2.0
#include "workloads/reader/syntax.h"
#include "workloads/training/loss.h"

namespace npusim::workloads {
namespace {

void read_optimizer(base::ObjectReader& reader, OptimizerSpec& spec) {
  using Kind = OptimizerSpec::Kind;
  std::vector<std::pair<std::string, Kind>> kinds;
  for (const Kind kind :
       {Kind::sgd, Kind::adam, Kind::adamw, Kind::adagrad, Kind::rmsprop, Kind::lion, Kind::lamb})
    kinds.emplace_back(name_of(kind), kind);
  spec.kind = reader.choice<Kind>("kind", kinds);
  spec.learning_rate = reader.number("learning_rate", base::kNonNegativeNumber, spec.learning_rate);
  spec.weight_decay = reader.number("weight_decay", base::kNonNegativeNumber, spec.weight_decay);
  const base::NumberRange below_one{0.0, 0.9999999, false};
  if (spec.kind == Kind::sgd) {
    spec.momentum = reader.number("momentum", below_one, 0.0);
    if (spec.momentum != 0.0) {
      spec.dampening = reader.number("dampening", {0.0, 1.0, false}, 0.0);
      spec.nesterov = reader.boolean("nesterov", false);
    }
  }
  const bool moments =
      spec.kind == Kind::adam || spec.kind == Kind::adamw || spec.kind == Kind::lamb;
  if (moments || spec.kind == Kind::lion) spec.beta1 = reader.number("beta1", below_one, 0.9);
  if (moments) spec.beta2 = reader.number("beta2", below_one, 0.999);
  if (spec.kind == Kind::rmsprop || spec.kind == Kind::lion)
    spec.beta2 = reader.number("beta2", below_one, 0.99);
  if (spec.kind != Kind::sgd && spec.kind != Kind::lion)
    spec.epsilon = reader.number("epsilon", base::kNonNegativeNumber,
                                 spec.kind == Kind::adagrad ? 1e-10 : 1e-8);
  reader.finish();
}

void read_schedule(base::ObjectReader& reader, ScheduleSpec& spec) {
  using Kind = ScheduleSpec::Kind;
  std::vector<std::pair<std::string, Kind>> kinds;
  for (const Kind kind : {Kind::constant, Kind::step, Kind::exponential, Kind::cosine, Kind::linear,
                          Kind::inverse_sqrt})
    kinds.emplace_back(name_of(kind), kind);
  spec.kind = reader.choice<Kind>("kind", kinds);
  spec.warmup_steps = reader.integer("warmup_steps", base::kNonNegative, 0);
  if (spec.kind == Kind::step || spec.kind == Kind::cosine || spec.kind == Kind::linear)
    spec.period = reader.integer("period", base::kPositive);
  if (spec.kind != Kind::constant && spec.kind != Kind::inverse_sqrt)
    spec.factor = reader.number("factor", base::kNonNegativeNumber,
                                spec.kind == Kind::cosine || spec.kind == Kind::linear ? 0.0 : 0.1);
  reader.finish();
}

/// Each adds a copy of the graph to the step.
constexpr base::IntegerRange kMicroBatches{1, 1024};

}  // namespace

TrainingSpec parse_training(const base::ValueReader& value) {
  base::ObjectReader reader(value);
  TrainingSpec spec;
  spec.logits = reader.string("logits");
  spec.labels = reader.string("labels");
  if (const auto loss = reader.optional("loss"))
    spec.loss = loss_names()[loss->choice(loss_names())];
  if (auto optimizer = reader.optional_object("optimizer")) {
    read_optimizer(*optimizer, spec.optimizer);
  }
  if (auto clip = reader.optional_object("clip")) {
    spec.clipping.value = clip->number("value", base::kPositiveNumber, 0.0);
    spec.clipping.norm = clip->number("norm", base::kPositiveNumber, 0.0);
    clip->finish();
  }
  if (auto schedule = reader.optional_object("schedule")) read_schedule(*schedule, spec.schedule);
  for (const base::ValueReader& pattern : reader.optional_array("frozen"))
    spec.frozen.push_back(pattern.string());
  spec.micro_batches = reader.integer("micro_batches", kMicroBatches, 1);
  spec.recompute_segments = reader.integer("recompute_segments", base::kNonNegative, 0);
  reader.finish();
  return spec;
}

}  // namespace npusim::workloads
