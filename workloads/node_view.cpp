// SPDX-License-Identifier: Apache-2.0
#include <type_traits>

#include "base/error.h"
#include "workloads/op.h"

namespace npusim::workloads {
namespace {

template <class T>
const T& attribute_of(const Node& node, const std::string& name) {
  const auto found = node.attributes.find(name);
  NPUSIM_CHECK(found != node.attributes.end(), node.op + " has no attribute " + name);
  const T* value = std::get_if<T>(&found->second);
  NPUSIM_CHECK(value != nullptr, node.op + ": attribute " + name + " has another type");
  return *value;
}

}  // namespace

bool NodeView::has_input(int i) const {
  return i < input_count() && node_->inputs[static_cast<std::size_t>(i)] != kNoTensor;
}

const TensorInfo& NodeView::input(int i) const {
  NPUSIM_CHECK(has_input(i), node_->name + " has no input " + std::to_string(i));
  return graph_->tensor(node_->inputs[static_cast<std::size_t>(i)]);
}

const TensorInfo& NodeView::output(int i) const {
  NPUSIM_CHECK(i < static_cast<int>(node_->outputs.size()),
               node_->name + " has no output " + std::to_string(i));
  return graph_->tensor(node_->outputs[static_cast<std::size_t>(i)]);
}

const Tensor* NodeView::known(int i) const {
  return has_input(i) ? input(i).known.get() : nullptr;
}

const Tensor& NodeView::constant(int i) const {
  if (const Tensor* values = known(i)) return *values;
  throw base::InputError(
      "input " + std::to_string(i) + " (" + input(i).name +
          ") decides a shape, so that its values must be known before the run: "
          "an initializer of few elements, or computed from such and from shapes",
      "not-constant");
}

std::vector<std::int64_t> NodeView::constant_integers(int i) const {
  std::vector<std::int64_t> result;
  for (const double value : constant(i).values)
    result.push_back(static_cast<std::int64_t>(saturated(value, ElementType::int64)));
  return result;
}

std::int64_t NodeView::integer(const std::string& attribute) const {
  return attribute_of<std::int64_t>(*node_, attribute);
}

double NodeView::number(const std::string& attribute) const {
  return attribute_of<double>(*node_, attribute);
}

const std::string& NodeView::text(const std::string& attribute) const {
  return attribute_of<std::string>(*node_, attribute);
}

const std::vector<std::int64_t>& NodeView::integers(const std::string& attribute) const {
  return attribute_of<std::vector<std::int64_t>>(*node_, attribute);
}

}  // namespace npusim::workloads
