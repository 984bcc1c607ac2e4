// SPDX-License-Identifier: Apache-2.0
// Whole runs on a vector unit that takes functions from tables, beside the same design without.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "npu_models/npu_file.h"
#include "sim/writers/writers.h"
#include "tests/json_schema.h"
#include "tests/sim/library.h"

namespace npusim::sim {
namespace {

using testing::request;

RunOptions options_with(const std::vector<std::string>& sets) {
  RunOptions options;
  options.quiet = true;
  options.jobs = 1;
  for (const std::string& text : sets) options.overrides.push_back(base::parse_override(text));
  return options;
}

RunResult run(const std::string& npu, const std::string& workload, Mode mode,
              const std::vector<std::string>& sets) {
  return run_all({request(npu, workload, mode)}, options_with(sets)).runs.at(0);
}

const std::vector<std::string> kSmall = {"workload.parameters.batch=1",
                                         "workload.parameters.sequence=16",
                                         "workload.parameters.layers=1"};

/// The functions that ops of a kind took from tables.
std::map<std::string, std::set<std::string>> by_kind(const RunResult& run) {
  std::map<std::string, std::set<std::string>> result;
  for (const OpError& op : run.numerics->by_op)
    result[op.op].insert(op.approximated.begin(), op.approximated.end());
  return result;
}

TEST(Approximations, ATransformersOpsNameTheirTablesAndAreFurtherOff) {
  const RunResult exact = run("systolic_32x32_fp32", "small_gpt", Mode::inference, kSmall);
  // Few segments: what they lose is more than what storing in BF16 does.
  std::vector<std::string> coarse = kSmall;
  for (const char* function : {"exp", "reciprocal", "rsqrt", "gelu"})
    coarse.push_back("npu.vector_unit.approximations." + std::string(function) +
                     ".breakpoints.segments=2");
  const RunResult tables = run("systolic_32x32_tables", "small_gpt", Mode::inference, coarse);
  ASSERT_EQ(exact.status, Status::ok) << exact.error;
  ASSERT_EQ(tables.status, Status::ok) << tables.error;
  const auto used = by_kind(tables);
  using Names = std::set<std::string>;
  EXPECT_EQ(used.at("Softmax"), (Names{"exp", "reciprocal"}));
  EXPECT_EQ(used.at("LayerNormalization"), (Names{"rsqrt"}));
  EXPECT_EQ(used.at("Gelu"), (Names{"gelu"}));
  EXPECT_EQ(used.at("MatMul"), Names{});
  EXPECT_EQ(used.at("Add"), Names{});
  for (const auto& [kind, functions] : by_kind(exact)) EXPECT_EQ(functions, Names{}) << kind;
  EXPECT_TRUE(exact.numerics->approximations.empty());
  EXPECT_EQ(tables.numerics->approximations.size(), 4U);
  EXPECT_EQ(tables.numerics->approximations.at("exp"),
            "piecewise_linear, 2 segments on [0, 1], exponent taken apart, coefficients in fp16");
  ASSERT_EQ(exact.numerics->by_op.size(), tables.numerics->by_op.size());
  for (std::size_t i = 0; i < exact.numerics->by_op.size(); ++i) {
    const OpError& before = exact.numerics->by_op[i];
    const OpError& after = tables.numerics->by_op[i];
    // On the operands that it received: only the op itself counts.
    if (after.approximated.empty()) continue;
    EXPECT_NE(before.bits_hash, after.bits_hash) << after.node;
    EXPECT_GT(*after.local.rel_fro, *before.local.rel_fro) << after.node;
    EXPECT_LT(*after.local.rel_fro, 1.0) << after.node;
  }
  EXPECT_NE(exact.config_hash, tables.config_hash);
  EXPECT_NE(exact.mapping_hash, tables.mapping_hash);
  EXPECT_EQ(exact.timing->run.cycles, tables.timing->run.cycles);
}

TEST(Approximations, ResultsSayItAndKeepToTheSchema) {
  const Result result = run_all({request("systolic_32x32_tables", "small_gpt", Mode::inference)},
                                options_with(kSmall));
  const nlohmann::json document = nlohmann::json::parse(base::dump_json(json_of(result)));
  const test::JsonSchema schema("result.schema.json");
  EXPECT_TRUE(schema.accepts(document));
  const nlohmann::json& numerics = document["runs"][0]["numerics"];
  EXPECT_EQ(numerics["approximations"].size(), 4U);
  int named = 0;
  for (const nlohmann::json& op : numerics["by_op"]) named += op.contains("approximated") ? 1 : 0;
  EXPECT_EQ(named, 5) << "softmax, three normalisations, Gelu";
  EXPECT_FALSE(
      schema.accepts(test::changed(document, {"/runs/0/numerics/approximations/exp", "3", false})));
  EXPECT_NE(numerics_table_of(result.runs[0]).find("from a table: rsqrt: piecewise_linear, 32"),
            std::string::npos);
}

/// exp is 0.25 everywhere: nobody who takes it is right.
const char* const kWrongExp =
    R"(npu.vector_unit.approximations={"exp": {"kind": "table", "breakpoints": [0, 1], "values": [0.25]}})";

TEST(Approximations, TheHostHasNoTables) {
  // The loss of NVDLA's training step runs on the host, that of the systolic array does not.
  const auto hashes = [](const RunResult& run) {
    std::map<std::string, std::uint64_t> result;
    for (const OpError& op : run.numerics->by_op) result[op.node] = op.bits_hash;
    return result;
  };
  const std::vector<std::string> small = {"workload.parameters.batch=4"};
  std::vector<std::string> wrong = small;
  wrong.push_back(kWrongExp);
  const RunResult exact = run("nvdla_fp16", "mlp", Mode::training, small);
  const RunResult tables = run("nvdla_fp16", "mlp", Mode::training, wrong);
  ASSERT_EQ(tables.status, Status::ok) << tables.error;
  EXPECT_EQ(hashes(exact), hashes(tables));
  EXPECT_TRUE(tables.numerics->approximations.empty());
  const RunResult native = run("systolic_32x32_fp32", "mlp", Mode::training, small);
  const RunResult moved = run("systolic_32x32_fp32", "mlp", Mode::training, wrong);
  ASSERT_EQ(moved.status, Status::ok) << moved.error;
  EXPECT_NE(native.numerics->output_bits_hash, moved.numerics->output_bits_hash);
  EXPECT_EQ(moved.numerics->approximations.count("exp"), 1U);
}

TEST(Approximations, ShippedTablesAreAsGoodAsTheyLook) {
  const npu::NpuSpec npu = npu::load_npu(find_file("npu", "systolic_32x32_tables"));
  const precision::Rounder fp32({precision::fp32(), precision::Rounding::rne});
  int found = 0;
  for (std::size_t f = 0; f < workloads::kElementaryFunctions; ++f) {
    const auto function = static_cast<workloads::Elementary>(f);
    const workloads::Approximation* a = npu.vector_unit.approximations->find(function);
    if (a == nullptr) continue;
    ++found;
    // Of silu: segments of 1/4 where |f''| is 1/2, 1/4^2 / 8 / 2 = 3.9e-3.
    EXPECT_LT(largest_error(*a, fp32), 4e-3) << name_of(function);
    EXPECT_GT(largest_error(*a, fp32), 1e-5) << name_of(function);
  }
  EXPECT_EQ(found, 8);
}

}  // namespace
}  // namespace npusim::sim
