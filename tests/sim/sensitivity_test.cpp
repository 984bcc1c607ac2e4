// SPDX-License-Identifier: Apache-2.0
// What the parts of a search reach in a training step, and which of them an assignment takes.
#include "sim/training/sensitivity.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "sim/catalog.h"
#include "sim/training/trainer.h"

namespace npusim::sim {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::UnorderedElementsAre;
using workloads::TensorRole;

TrainRequest request_for(const std::string& workload, const std::string& base,
                         const std::vector<std::string>& settings) {
  TrainRequest request;
  request.workload_file = find_file("workload", workload);
  request.recipe_files = {find_file("recipe", base)};
  for (const std::string& setting : settings)
    request.overrides.push_back(base::parse_override(setting));
  request.options.max_steps = 1;
  request.options.train_samples = 16;
  request.options.test_samples = 8;
  request.jobs = 1;
  return request;
}

/// Everything is within it.
SensitivityOptions generous(Part parts, std::vector<std::string> candidates) {
  SensitivityOptions options;
  options.parts = parts;
  options.candidates = std::move(candidates);
  options.accuracy_points = 100.0;
  options.loss_share = 1e6;
  return options;
}

std::vector<std::string> names_of(const std::vector<SensitivityRow>& rows) {
  std::vector<std::string> names;
  for (const SensitivityRow& row : rows) names.push_back(row.name + " " + row.candidate);
  return names;
}

const SensitivityRow& row_of(const Sensitivity& found, const std::string& name) {
  for (const SensitivityRow& row : found.rows)
    if (row.name == name) return row;
  ADD_FAILURE() << "no row " << name;
  return found.base_row;
}

class SensitivityParts : public ::testing::Test {
 protected:
  SensitivityParts() {
    char name[] = "/tmp/npusim_sensitivity_XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~SensitivityParts() override { std::filesystem::remove_all(folder_); }

  /// Activations and their gradients that the nodes of a training step still write in FP32 under
  /// the assignment that was found, but those of the loss.
  std::vector<std::string> left_in_fp32(const TrainRequest& request, const Sensitivity& found) {
    const std::string file = folder_ + "/mixed.json";
    std::ofstream(file) << base::dump_json(found.recipe);
    std::vector<base::Override> overrides;
    for (const base::ParsedOverride& setting : request.overrides)
      overrides.push_back(setting.override);
    const workloads::Workload workload = workloads::load_workload(request.workload_file, overrides);
    const npu::MappedGraph step = map_training(workload, workloads::load_recipe(file)).step;
    std::vector<std::string> left;
    for (const workloads::Node& node : step.graph.nodes)
      for (const workloads::TensorId id : node.outputs) {
        const workloads::TensorInfo& tensor = step.graph.tensor(id);
        const bool lowered =
            tensor.role == TensorRole::activation || tensor.role == TensorRole::activation_gradient;
        if (lowered && node.op != "Cast" && node.name.rfind("loss", 0) != 0 &&
            step.storage[static_cast<std::size_t>(id)].format.name == "fp32")
          left.push_back(node.name + " (" + node.op + ")");
      }
    return left;
  }

  std::string folder_;
};

// --- what a part reaches -----------------------------------------------------------------------

TEST_F(SensitivityParts, OpsTakeTheirGradientsAndPartsAlong) {
  struct Case {
    const char* workload;
    const char* data;
    const char* op;  ///< whose gradient has another name or whose parts are trained
    std::vector<std::string> settings;
  };
  const std::vector<Case> cases = {
      {"small_cnn", "digits", "Conv", {"workload.parameters.batch=4"}},
      {"small_gpt",
       "markov",
       "Attention",
       {"workload.parameters.batch=2", "workload.parameters.sequence=8",
        "workload.parameters.hidden=16", "workload.parameters.heads=2",
        "workload.parameters.layers=1"}},
      {"small_lstm",
       "markov",
       "LSTM",
       {"workload.parameters.batch=2", "workload.parameters.steps=4",
        "workload.parameters.hidden=8"}}};
  for (const Case& c : cases) {
    TrainRequest request = request_for(c.workload, "fp32", c.settings);
    request.options.data = c.data;
    const Sensitivity found = sensitivity(request, generous(Part::op, {"bf16"}));
    EXPECT_LT(row_of(found, c.op).bytes, found.base_row.bytes) << c.workload;
    EXPECT_EQ(found.chosen.size(), found.rows.size()) << text_of(found);
    EXPECT_THAT(left_in_fp32(request, found), IsEmpty()) << c.workload;
  }
}

/// SGD has no states and the network no statistics.
TEST_F(SensitivityParts, WithNothingToLowerAreNamedAndNotTrained) {
  TrainRequest request = request_for("small_cnn", "fp32", {"workload.parameters.batch=4"});
  request.options.data = "digits";
  const Sensitivity found = sensitivity(request, generous(Part::role, {"bf16", "fp32"}));
  EXPECT_THAT(names_of(found.rows),
              UnorderedElementsAre("weights bf16", "activations bf16", "activation_gradients bf16",
                                   "weight_gradients bf16"));
  EXPECT_THAT(names_of(found.same), IsSupersetOf({"optimizer_state bf16", "statistics bf16"}));
  EXPECT_THAT(text_of(found), HasSubstr("Nothing to lower: "));
  EXPECT_THAT(base::dump_json(json_of(found)), HasSubstr("\"nothing_to_lower\": [\n"));
}

// --- what an assignment takes ------------------------------------------------------------------

TEST_F(SensitivityParts, AreTakenWhereTheySaveBytes) {
  TrainRequest request =
      request_for("small_cnn", "bf16_fp32_master", {"workload.parameters.batch=4"});
  request.options.data = "digits";
  const Sensitivity found = sensitivity(request, generous(Part::role, {"bf16", "fp32"}));
  EXPECT_GT(row_of(found, "activations").bytes, found.base_row.bytes);  // in FP32
  EXPECT_THAT(names_of(found.chosen),
              UnorderedElementsAre("master_weights bf16", "weight_gradients bf16"));
  EXPECT_LT(found.assignment.bytes, found.base_row.bytes);
  const base::JsonValue& formats = *found.recipe.find("formats");
  EXPECT_EQ(formats.find("master_weights")->string(), "bf16");
  EXPECT_EQ(formats.find("activations")->string(), "bf16");
}

TEST_F(SensitivityParts, AnAccumulatorIsTakenWhereItIsNarrower) {
  TrainRequest request =
      request_for("small_cnn", "fp16_fp32_master", {"workload.parameters.batch=4"});
  request.npu_file = find_file("npu", "cube16_fp16");
  request.options.data = "digits";
  SensitivityOptions options = generous(Part::layer, {});
  options.accumulators = {"fp32", "fp16"};
  const Sensitivity found = sensitivity(request, options);
  EXPECT_THAT(names_of(found.same), UnorderedElementsAre("accumulator fp32"));
  EXPECT_THAT(names_of(found.chosen), UnorderedElementsAre("accumulator fp16"));

  request.overrides.push_back(base::parse_override("recipe.accumulator=fp16"));
  const Sensitivity wider = sensitivity(request, options);
  EXPECT_THAT(names_of(wider.rows), UnorderedElementsAre("accumulator fp32"));
  EXPECT_THAT(wider.chosen, IsEmpty());
}

}  // namespace
}  // namespace npusim::sim
