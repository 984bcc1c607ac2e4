// SPDX-License-Identifier: Apache-2.0
// What most ops share: the constant facts about an op, and loops over elements.
#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "workloads/op.h"

namespace npusim::workloads {

struct OpFacts {
  std::string name;
  std::string description;
  OpClass op_class = OpClass::vector;
  int min_inputs = 1;
  int max_inputs = 1;
  std::vector<AttributeSpec> attributes = {};
  bool internal = false;
  int min_outputs = 1;
  int max_outputs = 1;
  std::vector<int> constant_inputs = {};
};

class SimpleOp : public Op {
 public:
  explicit SimpleOp(OpFacts facts) : facts_(std::move(facts)) {}
  const std::string& name() const override { return facts_.name; }
  const std::string& description() const override { return facts_.description; }
  OpClass op_class() const override { return facts_.op_class; }
  const std::vector<AttributeSpec>& attributes() const override { return facts_.attributes; }
  int min_inputs() const override { return facts_.min_inputs; }
  int max_inputs() const override { return facts_.max_inputs; }
  bool internal() const override { return facts_.internal; }
  int min_outputs() const override { return facts_.min_outputs; }
  int max_outputs() const override { return facts_.max_outputs; }
  std::vector<int> constant_inputs() const override { return facts_.constant_inputs; }

 private:
  OpFacts facts_;
};

/// Throws base::InputError ("shape-mismatch"): what does not fit, with the shapes in it.
[[noreturn]] void shape_error(const std::string& message);

/// Requires this rank of an input.
void require_rank(const NodeView& view, int input, std::size_t rank, const std::string& what);

std::int64_t elements_of(const TensorInfo& tensor);

/// Throws base::InputError ("wrong-type") unless the input holds floating values.
void require_floating(const NodeView& view, int input);

/// One arithmetic step inside a vector op: floating results round to the internal format, integers
/// wrap to their type.
class Step {
 public:
  Step(const precision::Rounder& internal, ElementType type) : internal_(internal), type_(type) {}
  double operator()(double x) const {
    return type_ == ElementType::floating ? internal_(x) : wrapped(x, type_);
  }
  void array(double* x, std::int64_t count) const {
    if (type_ == ElementType::floating) return internal_.array(x, count);
    for (std::int64_t i = 0; i < count; ++i) x[i] = wrapped(x[i], type_);
  }

 private:
  const precision::Rounder& internal_;
  ElementType type_;
};

/// The role of an input's gradient: weights have gradients of their own format.
TensorRole gradient_role(const GradientBuilder& builder, int input);

/// Throws base::InputError ("no-gradient") when somebody wants the gradient of this input: the op
/// has none for it.
void refuse_gradient(const GradientBuilder& builder, int input);

/// A gradient that arrives unchanged, stored as this input's gradients are: cast when that differs.
TensorId as_gradient_of(GradientBuilder& builder, int input, TensorId gradient);

/// body(begin, end) over [0, count) in fixed blocks, on several threads: blocks write disjoint
/// elements.
void for_blocks(const precision::ParallelFor& parallel, std::int64_t count,
                const std::function<void(std::int64_t, std::int64_t)>& body);

}  // namespace npusim::workloads
