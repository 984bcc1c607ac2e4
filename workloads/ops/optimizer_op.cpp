// SPDX-License-Identifier: Apache-2.0
#include "workloads/ops/optimizer_op.h"

#include "workloads/detmath.h"

namespace npusim::workloads {

AttributeSpec optimizer_number(const char* name, double fallback, const char* description) {
  return {name, fallback, false, description};
}

OptimizerOp::OptimizerOp(const char* name, const char* description, int states,
                         std::vector<AttributeSpec> attributes, bool internal)
    : SimpleOp({name, description, OpClass::vector, 2 + 2 + states, std::numeric_limits<int>::max(),
                std::move(attributes), internal, 1 + states, std::numeric_limits<int>::max()}),
      states_(states) {}

std::vector<OutputSpec> OptimizerOp::infer(const NodeView& view) const {
  const int lists = 2 + states_;
  if ((view.input_count() - 2) % lists != 0)
    shape_error("takes R, T and " + std::to_string(lists) + " tensors for each weight");
  for (int i = 0; i < 2; ++i)
    if (elements_of(view.input(i)) != 1) shape_error("R and T must be scalars");
  const int weights = (view.input_count() - 2) / lists;
  std::vector<OutputSpec> result;
  for (int list = 0; list < lists; ++list)
    for (int k = 0; k < weights; ++k) {
      const TensorInfo& info = view.input(2 + list * weights + k);
      if (info.shape != view.input(2 + k).shape)
        shape_error(info.name + " must have shape " + to_string(view.input(2 + k).shape));
      if (list != 1) result.push_back({info.shape, ElementType::floating, info.format});
    }
  return result;
}

std::int64_t OptimizerOp::weight_elements(const NodeView& view) const {
  const int weights = (view.input_count() - 2) / (2 + states_);
  std::int64_t n = 0;
  for (int k = 0; k < weights; ++k) n += elements_of(view.input(2 + k));
  return n;
}

std::vector<VectorWork> OptimizerOp::vector_work(const NodeView& view) const {
  const std::int64_t n = weight_elements(view);
  if (states_ == 2) return {{"mul", 7 * n}, {"add", 4 * n}, {"sqrt", n}, {"div", n}};
  return {{"mul", 4 * n}, {"add", 3 * n}};
}

OptimizerSettings OptimizerOp::settings_of(const Evaluation& e) const {
  OptimizerSettings s;
  const auto number = [&](const char* name, double& value) {
    for (const AttributeSpec& attribute : attributes())
      if (attribute.name == name) value = e.view.number(name);
  };
  number("alpha", s.alpha);
  number("beta", s.beta);
  number("epsilon", s.epsilon);
  number("norm_coefficient", s.norm_coefficient);
  number("norm_coefficient_post", s.norm_coefficient_post);
  number("weight_decay", s.weight_decay);
  for (const AttributeSpec& attribute : attributes())
    if (attribute.name == "mode") s.nesterov = e.view.text("mode") == "nesterov";
  s.count = e.inputs[1]->values.at(0);
  s.first_rest = e.internal(1.0 - det_pow(s.alpha, s.count));
  s.second_rest = e.internal(1.0 - det_pow(s.beta, s.count));
  return s;
}

void OptimizerOp::forward(Evaluation& e) const {
  const OptimizerSettings settings = settings_of(e);
  const std::size_t weights = weight_count(e.inputs.size());
  const double rate = adjusted_rate(e, e.inputs[0]->values.at(0), e.inputs[1]->values.at(0));
  for (std::size_t k = 0; k < weights; ++k)
    for_blocks(e.parallel, static_cast<std::int64_t>(e.inputs[2 + k]->values.size()),
               [&](std::int64_t begin, std::int64_t end) {
                 for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end);
                      ++i) {
                   OptimizedElement element{
                       e.inputs[2 + k]->values[i], e.inputs[2 + weights + k]->values[i], {}};
                   for (std::size_t s = 0; s < static_cast<std::size_t>(states_); ++s)
                     element.state[s] = e.inputs[2 + (2 + s) * weights + k]->values[i];
                   update(e, settings, rate, element);
                   e.outputs[k].values[i] = element.weight;
                   for (std::size_t s = 0; s < static_cast<std::size_t>(states_); ++s)
                     e.outputs[(1 + s) * weights + k].values[i] = element.state[s];
                 }
               });
}

double OptimizerOp::regularised(const Evaluation& e, const OptimizerSettings& s,
                                const OptimizedElement& x) {
  if (s.norm_coefficient == 0.0) return x.gradient;
  return e.internal(e.internal(s.norm_coefficient * x.weight) + x.gradient);
}

}  // namespace npusim::workloads
