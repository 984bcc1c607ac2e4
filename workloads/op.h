// SPDX-License-Identifier: Apache-2.0
// What an op is: one object per ONNX op (or per internal training op), one file per family under
// ops/. Adding an op is a file there and a line in ops/register_ops.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "precision/gemm.h"
#include "workloads/contraction.h"
#include "workloads/graph.h"
#include "workloads/vector_arithmetic.h"

namespace npusim::workloads {

/// Which engine of an NPU can do the op.
enum class OpClass {
  matrix,  ///< a contraction (plus a bias): the MAC array
  vector,  ///< element-wise, reductions, pooling, losses, optimizers: the vector unit
  view,    ///< a new shape for the same bytes: no engine, no cost
};

struct AttributeSpec {
  std::string name;
  Attribute fallback;  ///< ONNX's default; its alternative is the attribute's type
  bool required = false;
  std::string description;
};

/// Work of the vector unit: `elements` applications of one function ("add", "mul", "max", "div",
/// "exp", "log", "sqrt", "compare", "copy"). NPU configs give throughputs for these names. Other
/// transcendental functions (tanh, erf, sin, pow, ...) count as "exp", bit and logic functions as
/// "compare", remainders as "div".
struct VectorWork {
  std::string function;
  std::int64_t elements = 0;
};
const std::vector<std::string>& vector_functions();

/// A node with its graph: read-only access to shapes and attributes.
class NodeView {
 public:
  NodeView(const Graph& graph, const Node& node) : graph_(&graph), node_(&node) {}
  const Graph& graph() const { return *graph_; }
  const Node& node() const { return *node_; }
  int input_count() const { return static_cast<int>(node_->inputs.size()); }
  bool has_input(int i) const;
  const TensorInfo& input(int i) const;
  const TensorInfo& output(int i = 0) const;
  /// Outputs that the node writes; during Op::infer, those it is asked for.
  int output_count() const { return static_cast<int>(node_->outputs.size()); }

  /// Values of an input that are known before any run, else nullptr: initializers of kind values,
  /// constant or file, and what was computed from them or from shapes (constants.h). Shapes are
  /// static, so ops whose shape depends on values declare these inputs in Op::constant_inputs().
  const Tensor* known(int i) const;
  /// The same, or base::InputError ("not-constant") saying that the input must be known.
  const Tensor& constant(int i) const;
  std::vector<std::int64_t> constant_integers(int i) const;

  std::int64_t integer(const std::string& attribute) const;
  double number(const std::string& attribute) const;
  const std::string& text(const std::string& attribute) const;
  const std::vector<std::int64_t>& integers(const std::string& attribute) const;

 private:
  const Graph* graph_;
  const Node* node_;
};

struct OutputSpec {
  Shape shape;
  ElementType type = ElementType::floating;
  /// Declared floating format; empty: that of the first floating input that declares one.
  std::string format = {};
};

/// The products of one node, as one machine (or the FP64 reference) takes them.
class MatrixEngine {
 public:
  virtual ~MatrixEngine() = default;
  /// `k` terms a row, in the node's canonical K order.
  virtual void multiply(std::int64_t k, const precision::OperandRows& a,
                        const precision::OperandRows& b, const precision::Bias& bias,
                        precision::GemmOutput& out) const = 0;
};

/// Everything a forward evaluation needs. The same code computes emulated values (engine and
/// rounder of the recipe) and FP64 references (reference engine, identity rounder).
struct Evaluation {
  NodeView view;
  std::vector<const Tensor*> inputs;  ///< nullptr: omitted optional input
  std::vector<Tensor>&
      outputs;  ///< shapes set; values to be written. The caller rounds them to storage.
  const MatrixEngine& matrix;
  /// Applied after each arithmetic step inside vector ops; has the elementary functions.
  const VectorArithmetic& internal;
  const precision::ParallelFor& parallel;
};

/// Adds backward nodes for one forward node.
class GradientBuilder {
 public:
  virtual ~GradientBuilder() = default;
  virtual NodeView view() const = 0;
  /// Gradient of the loss by an output; kNoTensor when none flows.
  virtual TensorId output_gradient(int i) const = 0;
  /// True when somebody needs the gradient of this input.
  virtual bool wanted(int i) const = 0;
  /// Adds a backward node with the outputs its op has at least; the first of them.
  virtual TensorId add(const std::string& op, const std::string& suffix,
                       std::vector<TensorId> inputs, Attributes attributes, TensorRole role) = 0;
  virtual void set_input_gradient(int i, TensorId gradient) = 0;
};

/// A node rewritten into simpler ones, for NPUs that lack it. Returns the tensors that replace its
/// outputs.
class DecompositionBuilder {
 public:
  virtual ~DecompositionBuilder() = default;
  virtual NodeView view() const = 0;
  virtual TensorId add(const std::string& op, const std::string& suffix,
                       std::vector<TensorId> inputs, Attributes attributes) = 0;
};

class Op {
 public:
  virtual ~Op() = default;
  virtual const std::string& name() const = 0;
  virtual const std::string& description() const = 0;
  virtual OpClass op_class() const = 0;
  virtual const std::vector<AttributeSpec>& attributes() const = 0;
  virtual int min_inputs() const = 0;
  virtual int max_inputs() const = 0;
  virtual int min_outputs() const { return 1; }
  virtual int max_outputs() const { return 1; }
  /// Inputs whose values infer() looks at (when they are there): ONNX's Reshape has {1}.
  virtual std::vector<int> constant_inputs() const { return {}; }
  /// False when the results follow from shapes alone: Shape, Size.
  virtual bool reads_values() const { return true; }
  /// True for ops that no NPU can have because this build does not know what they compute.
  virtual bool host_only() const { return false; }
  /// True for ops that only training graphs made by the transform contain.
  virtual bool internal() const { return false; }

  /// Shapes and types of the outputs that the node is asked for (NodeView::output_count); more may
  /// be given, they are left out. Throws base::InputError saying which shapes do not fit and why.
  virtual std::vector<OutputSpec> infer(const NodeView& view) const = 0;
  /// The op as the MAC array sees it; only for OpClass::matrix.
  virtual std::optional<Contraction> contraction(const NodeView&) const { return std::nullopt; }
  /// Multiplications with additions: the contraction's; ops of several products say it themselves.
  virtual std::int64_t macs(const NodeView& view) const {
    const std::optional<Contraction> product = contraction(view);
    return product ? product->macs() : 0;
  }
  /// Vector work; for matrix ops what is left beside the contraction (usually none).
  virtual std::vector<VectorWork> vector_work(const NodeView& view) const = 0;
  virtual void forward(Evaluation& evaluation) const = 0;
  virtual bool differentiable() const { return false; }
  virtual void gradient(GradientBuilder&) const {}
  /// Names of the ops that decompose() uses; empty: cannot be decomposed.
  virtual std::vector<std::string> decomposes_into() const { return {}; }
  virtual std::vector<TensorId> decompose(DecompositionBuilder&) const { return {}; }
};

/// Ops by name, registered explicitly (no static initialisers).
class OpRegistry {
 public:
  void add(std::unique_ptr<Op> op);
  const Op* find(const std::string& name) const;
  const Op& at(const std::string& name) const;  ///< base::InputError with did-you-mean
  std::vector<const Op*> all() const;           ///< sorted by name

 private:
  std::vector<std::unique_ptr<Op>> ops_;
};

/// The registry with every op of this build.
const OpRegistry& ops();

}  // namespace npusim::workloads
