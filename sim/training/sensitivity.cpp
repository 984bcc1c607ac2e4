// SPDX-License-Identifier: Apache-2.0
#include "sim/training/sensitivity.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <thread>
#include <tuple>

#include "base/progress.h"
#include "base/thread_pool.h"
#include "npu_models/input_units.h"
#include "npu_models/npu_file.h"
#include "sim/run_parts.h"
#include "sim/training/train_report.h"
#include "sim/training/trainer.h"
#include "workloads/op.h"

namespace npusim::sim {
namespace {

using base::JsonValue;
using workloads::Recipe;
using workloads::TensorRole;

/// A part of the network in one format.
struct Lowering {
  Part part;
  std::string name, candidate;
};

struct Role {
  const char* key;
  void (*set)(Recipe&, const precision::Format&);
};
const std::vector<Role>& roles() {
  using precision::Format;
  static const std::vector<Role> kRoles = {
      {"weights", [](Recipe& r, const Format& f) { r.weights = f; }},
      {"master_weights", [](Recipe& r, const Format& f) { r.master_weights = f; }},
      {"activations", [](Recipe& r, const Format& f) { r.activations = f; }},
      {"activation_gradients", [](Recipe& r, const Format& f) { r.activation_gradients = f; }},
      {"weight_gradients", [](Recipe& r, const Format& f) { r.weight_gradients = f; }},
      {"optimizer_state", [](Recipe& r, const Format& f) { r.optimizer_state = f; }},
      {"statistics", [](Recipe& r, const Format& f) { r.statistics = f; }}};
  return kRoles;
}

/// A recipe as the program reads it and as a file says it, changed together.
class Draft {
 public:
  Draft(const Recipe& base, const workloads::Graph& forward)
      : forward_(forward), recipe_(base), json_(base.resolved) {
    if (recipe_.operands) return;
    // Products read what their neighbours were lowered to, so it must be said what they read.
    recipe_.operands = recipe_.activations;
    json_.set("operands", *base.resolved.find("formats")->find("activations"));
  }

  void lower(const Lowering& to) {
    const precision::Format format = precision::format_from_name(to.candidate);
    switch (to.part) {
      case Part::accumulator:
        recipe_.accumulator = format;
        json_.set("accumulator", to.candidate);
        return;
      case Part::role:
        for (const Role& role : roles())
          if (to.name == role.key) {
            role.set(recipe_, format);
            json_.find("formats")->set(role.key, to.candidate);
          }
        return;
      case Part::op:
        // By name: a training step has gradients under other ops, and parts of some ops instead.
        for (const workloads::Node& node : forward_.nodes)
          if (node.op == to.name) add_rules(node.name, format, false);
        return;
      case Part::layer:
        return add_rules(to.name, format, true);
    }
  }

  void describe(const std::string& name, const std::string& text) {
    recipe_.name = name;
    json_.set("name", name);
    json_.set("description", text);
  }
  const Recipe& recipe() const { return recipe_; }
  const JsonValue& json() const { return json_; }

 private:
  /// For a node of the forward graph, its parts and their gradients.
  void add_rules(const std::string& node, const precision::Format& format, bool operands) {
    add_rule(node, format, operands);
    add_rule(node + ".*", format, operands);
  }

  void add_rule(const std::string& nodes, const precision::Format& format, bool operands) {
    workloads::RecipeRule rule;
    JsonValue item = JsonValue::make_object();
    rule.nodes = nodes;
    item.set("nodes", nodes);
    JsonValue formats = JsonValue::make_object();
    for (const TensorRole role : {TensorRole::activation, TensorRole::activation_gradient}) {
      rule.formats[role] = format;
      formats.set(role == TensorRole::activation ? "activations" : "activation_gradients",
                  format.name);
    }
    item.set("formats", std::move(formats));
    if (operands) {
      rule.operands = format;
      item.set("operands", format.name);
    }
    recipe_.rules.push_back(std::move(rule));
    if (json_.find("rules") == nullptr) json_.set("rules", JsonValue::make_array());
    json_.find("rules")->push_back(std::move(item));
  }

  const workloads::Graph& forward_;
  Recipe recipe_;
  JsonValue json_;
};

class Search {
 public:
  Search(const TrainRequest& request, const SensitivityOptions& options)
      : request_(request),
        options_(options),
        pool_(request.jobs > 0
                  ? request.jobs
                  : std::max(1, static_cast<int>(std::thread::hardware_concurrency()))),
        parallel_([this](std::int64_t n, const std::function<void(std::int64_t)>& body) {
          pool_.parallel_for(n, body);
        }) {}

  Sensitivity run() {
    load();
    const std::vector<Lowering> all = lowerings();
    base::Progress progress("sensitivity", static_cast<double>(all.size()) + 1.0, request_.quiet);
    Draft base(base_, workload_.graph);
    base.describe(base_.name, base_.description);
    result_.base_row = measure(base, "base", nullptr);
    progress.advance(1.0, base_.name);
    if (result_.interrupted) return std::move(result_);
    if (result_.base_row.status != TrainStatus::ok)
      throw base::InputError(
          "the base recipe " + base_.name + " does not train: " + result_.base_row.error,
          "not-trainable");
    for (const Lowering& lowering : all) {
      progress.advance(1.0, lowering.name + " in " + lowering.candidate);
      if (stopped()) break;
      Draft draft(base_, workload_.graph);
      draft.lower(lowering);
      SensitivityRow row = measure(draft, lowering.name, &lowering);
      (row.same ? result_.same : result_.rows).push_back(std::move(row));
    }
    rank();
    if (!result_.interrupted) choose();
    return std::move(result_);
  }

 private:
  void load() {
    base::Diagnostics diagnostics;
    const auto of = [&](const char* kind) { return overrides_of(request_.overrides, kind); };
    if (!request_.npu_file.empty())
      diagnostics.collect([&] {
        npu_ = npu::load_npu(request_.npu_file, of("npu"));
        npu_->what_if = request_.what_if;
      });
    diagnostics.collect(
        [&] { workload_ = workloads::load_workload(request_.workload_file, of("workload")); });
    diagnostics.collect(
        [&] { base_ = workloads::load_recipe(request_.recipe_files.at(0), of("recipe")); });
    std::vector<std::string> formats = options_.candidates;
    formats.insert(formats.end(), options_.accumulators.begin(), options_.accumulators.end());
    for (const std::string& name : formats)
      diagnostics.collect([&] {
        try {
          precision::format_from_name(name);
        } catch (const std::invalid_argument& mistake) {
          throw base::InputError(mistake.what(), "unknown-name");
        }
      });
    diagnostics.throw_if_any();
    if (!workload_.training)
      throw base::InputError("workload " + workload_.name + " has no \"training\" section",
                             "not-trainable");
    data_ = open_data(workload_, request_.options);
    result_.npu = npu_ ? npu_->name : "";
    result_.workload = workload_.name;
    result_.base = base_.name;
  }

  /// Every part with every candidate.
  std::vector<Lowering> lowerings() const {
    std::vector<Lowering> all;
    const auto add = [&](Part part, const std::string& name, const std::vector<std::string>& to) {
      for (const std::string& candidate : to) all.push_back({part, name, candidate});
    };
    std::set<std::string> seen;
    for (const workloads::Node& node : workload_.graph.nodes) {
      const bool product = workloads::ops().at(node.op).op_class() == workloads::OpClass::matrix;
      if (options_.parts == Part::layer && product)
        add(Part::layer, node.name, options_.candidates);
      if (options_.parts == Part::op && seen.insert(node.op).second)
        add(Part::op, node.op, options_.candidates);
    }
    if (options_.parts == Part::role)
      for (const Role& role : roles())
        if (role.key != std::string("master_weights") || base_.master_weights)
          add(Part::role, role.key, options_.candidates);
    add(Part::accumulator, "accumulator", options_.accumulators);
    return all;
  }

  bool stopped() {
    if (request_.options.interrupted && request_.options.interrupted()) result_.interrupted = true;
    return result_.interrupted;
  }

  SensitivityRow measure(const Draft& draft, const std::string& name, const Lowering* lowering) {
    SensitivityRow row;
    row.name = name;
    if (lowering != nullptr) {
      row.part = lowering->part;
      row.candidate = lowering->candidate;
    }
    TrainRun run;
    run.recipe = draft.recipe().name;
    try {
      const TrainMappings mappings = npu_ ? map_training(*npu_, workload_, draft.recipe())
                                          : map_training(workload_, draft.recipe());
      row.bytes = bytes_of(mappings.step);
      row.same = lowering != nullptr && !changes(*lowering, mappings.step);
      if (row.same) return row;
      if (lowering == nullptr && name == "base") base_formats_ = formats_of(mappings.step);
      row.hypothetical = hypothetical_ops(mappings.step);
      add_new(hypothetical_ops(mappings.forward), row.hypothetical);
      TrainOptions options = request_.options;
      options.progress = nullptr;
      options.log = nullptr;
      train(workload_, draft.recipe(), mappings, data_, options, parallel_, run);
    } catch (const npu::UnsupportedError& error) {
      row.status = TrainStatus::unsupported;
      row.error = error.what();
      return row;
    }
    row.status = run.status;
    row.error = run.error;
    if (run.status == TrainStatus::interrupted) result_.interrupted = true;
    if (run.evaluations.empty()) return row;
    const Evaluation& last = run.evaluations.back();
    row.loss = last.loss;
    row.accuracy = last.accuracy;
    if (lowering == nullptr && name == "base") base_run_ = run;
    row.loss_change = last.loss - base_run_.evaluations.back().loss;
    row.accuracy_change = last.accuracy - base_run_.evaluations.back().accuracy;
    row.agreement = agreement(run, base_run_).value_or(0.0);
    return row;
  }

  using Formats = std::map<std::string, precision::Format>;
  static Formats formats_of(const npu::MappedGraph& step) {
    Formats formats;
    for (std::size_t i = 0; i < step.storage.size(); ++i)
      formats.emplace(step.graph.tensors[i].name, step.storage[i].format);
    return formats;
  }
  bool changes(const Lowering& lowering, const npu::MappedGraph& step) const {
    if (lowering.part == Part::accumulator)
      return precision::format_from_name(lowering.candidate) != accumulator();
    return formats_of(step) != base_formats_;
  }
  /// Of the base.
  precision::Format accumulator() const {
    if (base_.accumulator) return *base_.accumulator;
    return npu::default_accumulator(npu_->mac_array, base_.operands.value_or(base_.activations));
  }
  /// Bytes do not show what a narrower accumulator saves.
  bool is_narrower_accumulator(const SensitivityRow& row) const {
    return row.part == Part::accumulator &&
           precision::format_from_name(row.candidate).bits() < accumulator().bits();
  }

  static double bytes_of(const npu::MappedGraph& step) {
    double bits = 0.0;
    for (const workloads::Node& node : step.graph.nodes)
      for (const auto* tensors : {&node.inputs, &node.outputs})
        for (const workloads::TensorId id : *tensors)
          if (id != workloads::kNoTensor && node.op != "Cast")
            bits += static_cast<double>(step.storage[static_cast<std::size_t>(id)].format.bits()) *
                    static_cast<double>(workloads::element_count(step.graph.tensor(id).shape));
    return bits / 8.0;
  }

  static bool ran(const SensitivityRow& row) {
    return row.status == TrainStatus::ok && std::isfinite(row.loss);
  }

  void rank() {
    std::stable_sort(result_.rows.begin(), result_.rows.end(),
                     [](const SensitivityRow& a, const SensitivityRow& b) {
                       if (ran(a) != ran(b)) return ran(a);
                       return ran(a) && a.loss_change > b.loss_change;
                     });
  }

  bool holds(const SensitivityRow& row) const {
    return ran(row) && row.accuracy_change >= -options_.accuracy_points / 100.0 &&
           row.loss_change <= options_.loss_share * result_.base_row.loss;
  }

  void choose() {
    std::vector<SensitivityRow> order;
    for (const SensitivityRow& row : result_.rows)
      if (holds(row) && (row.bytes < result_.base_row.bytes || is_narrower_accumulator(row)))
        order.push_back(row);
    // A part costs what its cheapest candidate costs.
    std::map<std::string, double> price;
    for (const SensitivityRow& row : order) {
      const double own = row.loss_change / std::max(1.0, result_.base_row.bytes - row.bytes);
      const auto known = price.emplace(row.name, own).first;
      known->second = std::min(known->second, own);
    }
    // The parts by price, of each the narrowest candidate first.
    std::stable_sort(order.begin(), order.end(),
                     [&](const SensitivityRow& a, const SensitivityRow& b) {
                       return std::make_tuple(price.at(a.name), a.name, a.bytes) <
                              std::make_tuple(price.at(b.name), b.name, b.bytes);
                     });
    base::Progress progress("cheapest assignment", static_cast<double>(order.size()),
                            request_.quiet);
    std::set<std::string> taken;
    result_.assignment = result_.base_row;
    for (const SensitivityRow& row : order) {
      progress.advance(1.0, row.name + " in " + row.candidate + " with those before");
      if (stopped()) return;
      if (taken.count(row.name) != 0) continue;
      Draft draft = drafted();
      draft.lower({row.part, row.name, row.candidate});
      const SensitivityRow all = measure(draft, "assignment", nullptr);
      const bool cheaper = all.bytes < result_.assignment.bytes || row.part == Part::accumulator;
      if (!holds(all) || !cheaper) continue;
      taken.insert(row.name);
      result_.chosen.push_back(row);
      result_.assignment = all;
    }
    Draft last = drafted();
    last.describe(
        workload_.name + "_mixed",
        "The cheapest assignment that a greedy search found within the bound, from " + base_.name +
            (result_.assignment.hypothetical.empty()
                 ? ""
                 : "; hypothetical: " + npu_->name + " does not declare all of its formats"));
    result_.recipe = last.json();
  }

  Draft drafted() const {
    Draft draft(base_, workload_.graph);
    for (const SensitivityRow& row : result_.chosen)
      draft.lower({row.part, row.name, row.candidate});
    return draft;
  }

  const TrainRequest& request_;
  const SensitivityOptions& options_;
  base::ThreadPool pool_;
  precision::ParallelFor parallel_;
  std::optional<npu::NpuSpec> npu_;
  workloads::Workload workload_;
  Recipe base_;
  TrainData data_;
  TrainRun base_run_;
  Formats base_formats_;  ///< of the base's step, by tensor
  Sensitivity result_;
};

}  // namespace

const char* name_of(Part part) {
  switch (part) {
    case Part::layer:
      return "layer";
    case Part::op:
      return "op";
    case Part::role:
      return "role";
    case Part::accumulator:
      return "accumulator";
  }
  return "";
}

Sensitivity sensitivity(const TrainRequest& request, const SensitivityOptions& options) {
  return Search(request, options).run();
}

}  // namespace npusim::sim
