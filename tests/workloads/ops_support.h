// SPDX-License-Identifier: Apache-2.0
// One op at a time: its values, shapes, contraction, work, errors, and its gradient against central
// differences.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "workloads/op.h"

namespace npusim::workloads::testing {

/// Uniform in [-1, 1), from a seed of its own (not the generators under test).
Tensor random_tensor(const Shape& shape, std::uint64_t seed);
/// The same with values of binary32.
Tensor random_floats(const Shape& shape, std::uint64_t seed);
Tensor labels_tensor(const std::vector<std::int64_t>& values);
Tensor integers_tensor(const std::vector<std::int64_t>& values);  ///< the same, not as labels
Tensor typed_tensor(const Shape& shape, ElementType type, std::vector<double> values);

/// A graph of one node; floating inputs are weights (so that they get gradients), integers labels.
/// An input without elements and of rank 1 stands for an omitted one. Inputs that must be
/// known get their values as initializers.
Graph one_node(const std::string& op, const std::vector<Tensor>& inputs,
               const Attributes& attributes, int outputs = 1);

/// Evaluates every node, in FP64 or with the rounder inside vector ops, and with blocks of parallel
/// loops run last first.
std::vector<Tensor> evaluate(const Graph& graph, std::vector<Tensor> values,
                             const VectorArithmetic& internal);

Tensor run_op(const std::string& op, const std::vector<Tensor>& inputs,
              const Attributes& attributes = {}, const VectorArithmetic& internal = {});
/// All outputs of a node that is asked for this many.
std::vector<Tensor> run_op_outputs(const std::string& op, const std::vector<Tensor>& inputs,
                                   const Attributes& attributes, int outputs,
                                   const VectorArithmetic& internal = {});
precision::Rounder fp32_rounder();

/// The message of the InputError that the node is refused with; "accepted" without one.
std::string error_of(const std::string& op, const std::vector<Shape>& shapes,
                     const Attributes& attributes = {});

Contraction contraction_of(const std::string& op, const std::vector<Shape>& shapes,
                           const Attributes& attributes = {});
std::map<std::string, std::int64_t> work_of(const std::string& op, const std::vector<Shape>& shapes,
                                            const Attributes& attributes = {});

/// Gradient of sum(r * y) for random r and the op's first output y by each floating input (of the
/// first inputs_trained), against central differences of the op itself: each element within 1e-6 of
/// the largest one. An op without a gradient of its own is trained as its parts. Empty: all right.
std::string wrong_gradient(const std::string& op, const std::vector<Tensor>& inputs,
                           const Attributes& attributes = {}, int outputs = 1,
                           int inputs_trained = 99);
void expect_right_gradients(const std::string& op, const std::vector<Tensor>& inputs,
                            const Attributes& attributes = {}, int outputs = 1,
                            int inputs_trained = 99);

void expect_near(const Tensor& actual, const Shape& shape, const std::vector<double>& expected,
                 double tolerance = 1e-12);

inline Attribute ints(std::vector<std::int64_t> values) {
  return values;
}
inline Attribute one(std::int64_t value) {
  return value;
}

}  // namespace npusim::workloads::testing
