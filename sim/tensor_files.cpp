// SPDX-License-Identifier: Apache-2.0
#include "sim/tensor_files.h"

#include <algorithm>
#include <set>

#include "base/object_reader.h"
#include "workloads/initializer_file.h"

namespace npusim::sim {
namespace {

using workloads::Initializer;
using workloads::TensorInfo;
using workloads::TensorRole;

base::Diagnostic placed(base::Diagnostic mistake, const std::string& place,
                        const std::string& allowed) {
  if (!mistake.file.empty()) mistake.message = mistake.file + ": " + mistake.message;
  mistake.file = place;
  if (mistake.allowed.empty()) mistake.allowed = allowed;
  return mistake;
}

class Check {
 public:
  Check(const RunOptions& options, const workloads::Graph& graph, base::Diagnostics& diagnostics)
      : options_(options), graph_(graph), diagnostics_(diagnostics) {}

  void inputs() {
    for (const auto& [name, file] : options_.inputs) {
      const workloads::TensorId id = graph_.find(name);
      const bool known =
          std::find(graph_.inputs.begin(), graph_.inputs.end(), id) != graph_.inputs.end();
      if (id == workloads::kNoTensor || !known)
        unknown_input(name);
      else
        header(graph_.tensor(id), name, file, "--input " + name);
    }
  }

  void weights() {
    if (options_.weights.empty()) return;
    std::map<std::string, base::ArrayHeader> held;
    if (!diagnostics_.collect([&] { held = base::read_safetensors_headers(options_.weights); }))
      return;
    headers_[options_.weights] = held;
    std::set<std::string> seen;
    for (const TensorInfo& tensor : graph_.tensors) {
      const std::string& name = workloads::values_name(tensor);
      if (!may_be_loaded(tensor) || !seen.insert(name).second) continue;
      if (held.count(name) > 0 || is_generated(*tensor.initializer))
        header(tensor, name, options_.weights, "--weights");
    }
  }

 private:
  static bool may_be_loaded(const TensorInfo& tensor) {
    return tensor.initializer &&
           (tensor.role == TensorRole::weight || tensor.role == TensorRole::statistics ||
            tensor.role == TensorRole::master_weight);
  }
  static bool is_generated(const Initializer& initializer) {
    using Kind = Initializer::Kind;
    const Kind stated[] = {Kind::constant, Kind::file, Kind::values, Kind::rotary_cos,
                           Kind::rotary_sin};
    return std::find(std::begin(stated), std::end(stated), initializer.kind) == std::end(stated);
  }

  void unknown_input(const std::string& name) {
    std::vector<std::string> names;
    for (const workloads::TensorId id : graph_.inputs) names.push_back(graph_.tensor(id).name);
    const std::string near = base::did_you_mean(name, names);
    base::Diagnostic mistake;
    mistake.file = "--input " + name;
    mistake.code = "unknown-name";
    mistake.message = "workload " + graph_.name + " has no graph input of that name" +
                      (near.empty() ? "" : " (did you mean \"" + near + "\"?)");
    mistake.allowed = base::one_of(names);
    diagnostics_.add(std::move(mistake));
  }

  void header(const TensorInfo& tensor, const std::string& name, const std::string& file,
              const std::string& place) {
    Initializer from_file;
    from_file.kind = Initializer::Kind::file;
    from_file.path = file;
    try {
      workloads::check_file_header(from_file, tensor.shape, name, headers_);
    } catch (const base::InputError& error) {
      for (const base::Diagnostic& mistake : error.diagnostics())
        diagnostics_.add(placed(mistake, place, "a whole .npy or .safetensors file"));
    }
  }

  const RunOptions& options_;
  const workloads::Graph& graph_;
  base::Diagnostics& diagnostics_;
  workloads::HeadersByFile headers_;
};

}  // namespace

void check_tensor_files(const RunOptions& options, const workloads::Graph& graph,
                        base::Diagnostics& diagnostics) {
  Check check(options, graph, diagnostics);
  check.inputs();
  check.weights();
}

}  // namespace npusim::sim
