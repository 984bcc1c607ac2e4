// SPDX-License-Identifier: Apache-2.0
// The op graph: ONNX op names and semantics, static shapes, nodes in topological order. It carries
// shapes and roles, never values: timing-only runs allocate no tensors.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "precision/format.h"
#include "workloads/initializer.h"
#include "workloads/tensor.h"

namespace npusim::workloads {

using TensorId = std::int32_t;
inline constexpr TensorId kNoTensor = -1;  ///< an omitted optional input

/// What a tensor is for: recipes choose formats by role, memory reports count by role.
enum class TensorRole {
  input,       ///< graph input: data
  label,       ///< integer targets
  weight,      ///< working copy that the ops read (trainable parameter)
  statistics,  ///< kept, not trained: running mean and variance, integer constants
  state,       ///< kept from run to run: key-value caches
  activation,
  activation_gradient,
  weight_gradient,
  master_weight,  ///< the copy that the optimizer updates
  optimizer_state,
  loss,  ///< loss value and the tensors of the loss op
};
const char* name_of(TensorRole role);

struct TensorInfo {
  std::string name;
  Shape shape;
  ElementType type = ElementType::floating;
  TensorRole role = TensorRole::activation;
  std::optional<Initializer> initializer;  ///< for inputs, weights, statistics, states
  /// Floating type that the model declares, as precision/ names it ("fp16", "bf16", "fp64"); empty:
  /// none, which in ONNX means float. Conformance runs store tensors in it; recipes overrule it.
  std::string format = {};
  /// What it is stored in, whatever its role's format is: a recipe's rules set this.
  std::optional<precision::Format> stored = {};
  /// Values known before any run (constants.h); shared between copies of the graph.
  std::shared_ptr<const Tensor> known = {};
};

/// The name that the tensor's initial values go by: a master copy's are those of its weight.
const std::string& values_name(const TensorInfo& info);

using Attribute =
    std::variant<std::int64_t, double, std::string, std::vector<std::int64_t>, std::vector<double>>;
using Attributes = std::map<std::string, Attribute>;

/// Which part of a training step a node belongs to.
enum class Phase { forward, backward, update };
const char* name_of(Phase phase);

struct Node {
  std::string name;
  std::string op;         ///< key into the op registry
  Attributes attributes;  ///< complete: defaults filled in when the node was added
  std::vector<TensorId> inputs;
  std::vector<TensorId> outputs;
  Phase phase = Phase::forward;
  /// Of the steps inside a vector op, instead of the recipe's: a recipe's rules set this.
  std::optional<precision::Format> internal = {};
};

struct Graph {
  std::string name;
  std::vector<TensorInfo> tensors;
  std::vector<Node> nodes;  ///< topological order
  std::vector<TensorId> inputs;
  std::vector<TensorId> outputs;

  const TensorInfo& tensor(TensorId id) const { return tensors[static_cast<std::size_t>(id)]; }
  TensorId find(const std::string& tensor_name) const;  ///< kNoTensor when absent

  /// Adds a node: fills attribute defaults, checks inputs, infers output shapes and appends the
  /// output tensors (names and role given; trailing optional outputs may be left out). Outputs that
  /// follow from known values become known (constants.h). Throws base::InputError naming node and
  /// shapes; the graph then stays as it was.
  std::vector<TensorId> add_node(const std::string& op, const std::string& node_name,
                                 std::vector<TensorId> node_inputs, Attributes attributes,
                                 const std::vector<std::string>& output_names,
                                 TensorRole role = TensorRole::activation,
                                 Phase phase = Phase::forward);
  TensorId add_tensor(TensorInfo info);  ///< names are unique: InputError otherwise
  void rename_tensor(TensorId id, const std::string& tensor_name);  ///< the new name must be free

  /// Tensors by name, kept by add_tensor and rename_tensor.
  std::unordered_map<std::string, TensorId> tensor_ids;

  std::int64_t known_elements = 0;  ///< held by known values that add_node computed

  std::int64_t parameter_count() const;  ///< elements of weights (master copies not counted twice)
  std::int64_t mac_count() const;        ///< over all nodes
};

/// Node that writes each tensor; -1: none (inputs, weights).
std::vector<int> writers(const Graph& graph);

/// Number of node inputs that read each tensor: a node that reads it twice counts twice, being a
/// graph output counts once.
std::vector<int> reader_counts(const Graph& graph);

/// Reorders nodes so that every tensor is written before it is read. Throws base::InputError naming
/// the nodes of a cycle.
void sort_topologically(Graph& graph);

}  // namespace npusim::workloads
