// SPDX-License-Identifier: Apache-2.0
// --what-if: which declared format stands in, whose cycles and whose bits a run then has, and that
// everything it is written as says so.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/whole_file.h"
#include "npu_models/npu_file.h"
#include "npu_models/what_if.h"
#include "sim/catalog.h"
#include "sim/check.h"
#include "sim/explain_mapping.h"
#include "sim/report/report.h"
#include "sim/result_diff.h"
#include "sim/run.h"
#include "sim/sweep/evaluator.h"
#include "sim/sweep/sweep_report.h"
#include "sim/training/advise.h"
#include "sim/training/sensitivity.h"
#include "sim/training/step_executor.h"
#include "sim/training/train_report.h"
#include "sim/writers/writers.h"
#include "tests/json_schema.h"
#include "tests/sim/sweep/support.h"
#include "workloads/training/apply_recipe.h"
#include "workloads/training/transform.h"

namespace npusim::sim {
namespace {

using nlohmann::json;
using npu::OperandFormats;
using precision::Format;
using precision::format_from_name;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class WhatIf : public ::testing::Test {
 protected:
  WhatIf() { setenv("NPUSIM_DATA_DIR", test::source_dir().c_str(), 1); }

  static RunRequest request(const std::string& npu, const std::string& recipe,
                            const std::string& workload = "mlp", Mode mode = Mode::inference) {
    RunRequest r;
    r.npu_file = find_file("npu", npu);
    r.workload_file = find_file("workload", workload);
    r.recipe_file = find_file("recipe", recipe);
    r.mode = mode;
    return r;
  }
  static RunOptions options(bool what_if, const std::vector<std::string>& sets = {}) {
    RunOptions options;
    options.quiet = true;
    options.jobs = 1;
    options.what_if = what_if;
    for (const std::string& text : sets) options.overrides.push_back(base::parse_override(text));
    return options;
  }
  static RunResult run(const RunRequest& r, const RunOptions& o) {
    return run_all({r}, o).runs.at(0);
  }
  /// Cycles only.
  static RunResult timed(const RunRequest& r, RunOptions o) {
    o.numerics = false;
    RunResult result = run(r, o);
    EXPECT_EQ(result.status, Status::ok) << result.error;
    return result;
  }
  static npu::NpuSpec npu(const std::string& name, const std::vector<std::string>& sets = {}) {
    std::vector<base::Override> overrides;
    for (const std::string& text : sets)
      overrides.push_back(base::parse_override("npu." + text).override);
    npu::NpuSpec spec = npu::load_npu(find_file("npu", name), overrides);
    spec.what_if = true;
    return spec;
  }
  static workloads::Recipe recipe(const std::string& name,
                                  const std::vector<std::string>& sets = {}) {
    std::vector<base::Override> overrides;
    for (const std::string& text : sets)
      overrides.push_back(base::parse_override("recipe." + text).override);
    return workloads::load_recipe(find_file("recipe", name), overrides);
  }

  testing::SweepFolder folder_;
};

// --- which format stands in ------------------------------------------------------------------

std::string nearest(const std::vector<std::string>& declared, const std::string& wanted) {
  std::vector<Format> formats;
  for (const std::string& name : declared) formats.push_back(format_from_name(name));
  return npu::nearest_format(formats, format_from_name(wanted)).name;
}

TEST_F(WhatIf, TheNearestFormatIsOfTheKindThenAsWideThenTheNextWiderThenTheWidest) {
  EXPECT_EQ(nearest({"fp32", "fp16"}, "bf16"), "fp16");
  EXPECT_EQ(nearest({"fp32", "tf32", "fp8_e5m2"}, "bf16"), "tf32");  // three bytes
  EXPECT_EQ(nearest({"fp8_e5m2", "fp32", "bf16"}, "fp64"), "fp32");
  EXPECT_EQ(nearest({"bf16", "fp8_e4m3", "fp8_e5m2"}, "fp8_e4m3fnuz"), "fp8_e4m3");
  EXPECT_EQ(nearest({"fp8_e4m3", "fp8_e5m2"}, "e5m2"), "fp8_e5m2");  // exponent bits
  EXPECT_EQ(nearest({"int8", "bf16"}, "fp8_e4m3"), "bf16");          // floating before as wide
  EXPECT_EQ(nearest({"fp8_e4m3", "int8"}, "int4"), "int8");
  EXPECT_EQ(nearest({"int8"}, "bf16"), "int8");            // no other kind there
  EXPECT_EQ(nearest({"e5m10", "fp16"}, "bf16"), "e5m10");  // first in the file
}

TEST_F(WhatIf, TheNearestInputHasScalesWhereTheOperandsHaveThem) {
  const npu::NpuSpec h100 = npu("nvidia_h100");
  OperandFormats operands(format_from_name("fp8_e5m2"));
  EXPECT_EQ(npu::nearest_input(h100.mac_array, operands)->format.name, "fp8_e5m2");
  operands.scale_block = 256;
  operands.scale = format_from_name("fp32");
  const npu::InputMode* const scaled = npu::nearest_input(h100.mac_array, operands);
  ASSERT_NE(scaled, nullptr);
  EXPECT_GT(npu::operands_of(*scaled).scale_block, 0);
  EXPECT_EQ(npu::nearest_input(npu("nvidia_v100").mac_array, operands), nullptr);
  EXPECT_THROW(npu::hypothetical_input(npu("nvidia_v100"), operands, {}), std::invalid_argument);
  // With the block and the scales asked for, where that unit joins its own.
  const npu::InputMode mode = npu::hypothetical_input(h100, operands, {});
  EXPECT_EQ(mode.units.front().scales->block, 256);
  EXPECT_EQ(mode.units.front().scales->after_stages, scaled->units.front().scales->after_stages);
}

TEST_F(WhatIf, AHypotheticalUnitKeepsAllButTheFormats) {
  const npu::NpuSpec a100 = npu("nvidia_a100");
  const npu::InputMode mode =
      npu::hypothetical_input(a100, OperandFormats(format_from_name("e5m7")), {});
  EXPECT_EQ(mode.stands_in, "fp16");
  const npu::InputMode* const fp16 = npu::find_input(a100.mac_array, precision::fp16());
  EXPECT_EQ(mode.macs_per_pe_per_cycle, fp16->macs_per_pe_per_cycle);
  ASSERT_EQ(mode.units.size(), fp16->units.size());
  for (std::size_t i = 0; i < mode.units.size(); ++i) {
    precision::MacUnit unit = mode.units[i];
    EXPECT_EQ(unit.a.name, "e5m7");
    EXPECT_EQ(unit.b.name, "e5m7");
    ASSERT_EQ(unit.stages.size(), fp16->units[i].stages.size());
    for (std::size_t s = 0; s < unit.stages.size(); ++s) {
      EXPECT_EQ(unit.stages[s].terms, fp16->units[i].stages[s].terms);
      EXPECT_EQ(unit.stages[s].combine, fp16->units[i].stages[s].combine);
      EXPECT_EQ(unit.stages[s].alignment, fp16->units[i].stages[s].alignment);
      EXPECT_EQ(unit.stages[s].arithmetic.format, fp16->units[i].stages[s].arithmetic.format);
    }
  }
}

TEST_F(WhatIf, SlicesThatDoNotHoldTheOperandsStandInForNobody) {
  npu::NpuSpec own = npu("google_tpu_v4_core");
  npu::InputMode& mode = own.mac_array.inputs[0];
  mode.slices_a = mode.slices_b = {{precision::bf16(), precision::Rounding::rne},
                                   {precision::bf16(), precision::Rounding::rne}};
  mode.passes.order = {{0, 0}, {0, 1}, {1, 0}};
  EXPECT_THROW(npu::hypothetical_input(own, OperandFormats(precision::fp16()), {}),
               std::invalid_argument);  // more significand bits than BF16
  const npu::InputMode narrow =
      npu::hypothetical_input(own, OperandFormats(format_from_name("e8m3")), {});
  EXPECT_EQ(narrow.units.front().passes.count(), 3);
}

TEST_F(WhatIf, FloatingOperandsOfAnIntegerArrayAreSummedInFp32) {
  npu::NpuSpec edge = npu("gemmini_int8");
  edge.mac_array.accumulator.arithmetic.format = format_from_name("int8");
  edge.mac_array.accumulator.choices = {format_from_name("int8")};
  const npu::InputMode mode = npu::hypothetical_input(edge, OperandFormats(precision::bf16()), {});
  EXPECT_EQ(mode.stands_in, "int8");
  ASSERT_EQ(mode.units.size(), 1U);
  EXPECT_EQ(mode.units[0].accumulator().format, precision::fp32());
  EXPECT_EQ(mode.accumulator_stand_ins.at("fp32"), "int8");
}

// --- without, and where nothing is needed ----------------------------------------------------

TEST_F(WhatIf, UndeclaredFormatsAreUnsupportedWithoutIt) {
  const RunResult refused = run(request("systolic_32x32_fp16", "bf16"), options(false));
  EXPECT_EQ(refused.status, Status::unsupported);
  EXPECT_TRUE(refused.hypothetical.empty());
  EXPECT_EQ(json_of(refused).find("hypothetical"), nullptr);
}

std::string deterministic_part(const Result& result) {
  base::JsonValue document = json_of(result);
  document.set("host", base::JsonValue::make_null());
  return base::dump_json(document);
}

TEST_F(WhatIf, ARunThatNeedsNothingHypotheticalIsTheSameWithIt) {
  // The last one runs on the host: that is what the design declares for BF16.
  for (const auto& [npu, recipe] : {std::pair<const char*, const char*>{"systolic128_bf16", "bf16"},
                                    {"cube16_fp16", "fp16_fp32_master"},
                                    {"nvidia_h100", "fp8_current_scaling"},
                                    {"gemmini_int8", "bf16_fp32_master"}})
    for (const Mode mode : {Mode::inference, Mode::training}) {
      const RunRequest r = request(npu, recipe, "mlp", mode);
      const Result with = run_all({r}, options(true)), without = run_all({r}, options(false));
      EXPECT_EQ(without.runs[0].status, Status::ok) << npu;
      EXPECT_EQ(deterministic_part(with), deterministic_part(without)) << npu;
      EXPECT_EQ(table_of(with), table_of(without));
      EXPECT_EQ(csv_of(with), csv_of(without));
    }
}

TEST_F(WhatIf, OpsAndShapesThatAreMissingStayUnsupported) {
  // Gemmini's BF16 design has no operator that is not in its table, with whatever formats.
  const RunResult missing =
      run(request("systolic_32x32_fp16", "bf16"),
          options(true, {R"(npu.operators.ops={"Relu": {"support": "unsupported"}})"}));
  EXPECT_EQ(missing.status, Status::unsupported);
  const RunResult wide = run(request("systolic_32x32_fp16", "fp64"), options(true));
  EXPECT_EQ(wide.status, Status::unsupported);
  EXPECT_THAT(wide.error, AllOf(HasSubstr("not with --what-if either"), HasSubstr("binary64")));
  // A sum that leaves no room for itself in the accumulator memory.
  const RunResult full =
      run(request("cube16_fp16", "fp16_fp32_master"),
          options(true, {"npu.mac_array.accumulator.memory_kib=2", "recipe.accumulator=fp64"}));
  EXPECT_EQ(full.status, Status::unsupported);
  EXPECT_THAT(full.error, HasSubstr("has no room for fp16 summed in fp64"));
  EXPECT_EQ(full.coverage->verdict, "cannot run");
}

// --- cycles ----------------------------------------------------------------------------------

TEST_F(WhatIf, CyclesAreThoseOfTheStandInWhereBothAreAsWide) {
  for (const Mode mode : {Mode::inference, Mode::training}) {
    const RunResult hypothetical =
        timed(request("systolic_32x32_fp16", "bf16", "mlp", mode), options(true));
    const RunResult declared =
        timed(request("systolic_32x32_fp16", "fp16", "mlp", mode), options(false));
    ASSERT_FALSE(hypothetical.hypothetical.empty());
    for (const HypotheticalOp& op : hypothetical.hypothetical) {
      ASSERT_EQ(op.stand_ins.size(), 1U) << op.node;
      EXPECT_EQ(npu::text_of(op.stand_ins[0]), "operands in bf16 as fp16") << op.node;
      EXPECT_THAT(op.op, ::testing::AnyOf("Gemm", "MatMul")) << op.node;
    }
    EXPECT_EQ(hypothetical.timing->run.cycles, declared.timing->run.cycles);
    EXPECT_EQ(hypothetical.timing->run.peak_macs_per_cycle,
              declared.timing->run.peak_macs_per_cycle);
    const auto& ops = hypothetical.timing->run.ops;
    ASSERT_EQ(ops.size(), declared.timing->run.ops.size());
    for (std::size_t i = 0; i < ops.size(); ++i) {
      EXPECT_EQ(ops[i].end_cycle, declared.timing->run.ops[i].end_cycle) << ops[i].node;
      EXPECT_EQ(ops[i].utilization, declared.timing->run.ops[i].utilization) << ops[i].node;
    }
  }
}

TEST_F(WhatIf, OfNarrowerOperandsTheArraysTakeTheCyclesOfTheStandIn) {
  // The same tiles, and an FP16 input at half the rate of the INT8 one.
  const std::vector<std::string> sets = {
      R"(npu.mac_array.inputs=[{"format": "fp16"}, {"format": "int8", "macs_per_pe_per_cycle": 4}])",
      R"(npu.mapping={"pins": [{"op": "*", "tile": {"m": 32, "n": 64, "k": 128}}]})",
      R"(npu.operators.groups.matrix.formats=["fp16", "int8"])"};
  std::vector<std::string> narrow = sets;
  for (const char* role : {"weights", "activations"})
    narrow.push_back(std::string("recipe.formats.") + role + "=fp8_e4m3");
  const RunRequest r = request("systolic_32x32_fp16", "fp16");
  const RunResult hypothetical = timed(r, options(true, narrow));
  const RunResult declared = timed(r, options(false, sets));
  EXPECT_EQ(timed(r, options(true, sets)).hypothetical.size(), 0U);
  ASSERT_FALSE(hypothetical.hypothetical.empty());
  EXPECT_EQ(hypothetical.timing->run.peak_macs_per_cycle, 1024);
  EXPECT_LT(hypothetical.timing->run.dram_bytes, declared.timing->run.dram_bytes);
  const auto array_cycles = [](const npu::OpTiming& op) {
    return op.array_busy_cycles + op.stall_cycles.at("preload") + op.stall_cycles.at("fill_drain") +
           op.stall_cycles.at("accumulate");
  };
  int products = 0;
  for (std::size_t i = 0; i < hypothetical.timing->run.ops.size(); ++i) {
    const npu::OpTiming& op = hypothetical.timing->run.ops[i];
    if (op.engine != "matrix") continue;
    ++products;
    EXPECT_EQ(array_cycles(op), array_cycles(declared.timing->run.ops[i])) << op.node;
  }
  EXPECT_EQ(products, 3);
}

TEST_F(WhatIf, AnAccumulatorTakesTheLatencyOfItsStandIn) {
  const RunRequest r = request("cube16_fp16", "fp16_fp32_master");
  const RunResult hypothetical = timed(r, options(true, {"recipe.accumulator=bf16"}));
  const RunResult declared = timed(r, options(false, {"recipe.accumulator=fp16"}));
  EXPECT_EQ(run(r, options(false, {"recipe.accumulator=bf16"})).status, Status::unsupported);
  ASSERT_FALSE(hypothetical.hypothetical.empty());
  for (const HypotheticalOp& op : hypothetical.hypothetical)
    EXPECT_EQ(npu::text_of(op.stand_ins.at(0)), "accumulator in bf16 as fp16");
  EXPECT_EQ(hypothetical.timing->run.cycles, declared.timing->run.cycles);
}

TEST_F(WhatIf, StorageAndStepsInsideVectorOpsHaveStandInsToo) {
  const std::vector<std::string> sets = {R"(npu.operators.groups.vector.formats=["fp16"])",
                                         "npu.vector_unit.internal=fp16"};
  const RunRequest r = request("systolic_32x32_fp16", "bf16");
  EXPECT_EQ(run(r, options(false, sets)).status, Status::unsupported);
  const RunResult hypothetical = timed(r, options(true, sets));
  std::set<std::string> texts;
  for (const HypotheticalOp& op : hypothetical.hypothetical)
    for (const npu::StandIn& one : op.stand_ins) texts.insert(npu::text_of(one));
  EXPECT_THAT(texts, ::testing::Contains("storage in bf16 as fp16"));
  EXPECT_THAT(texts, ::testing::Contains("operands in bf16 as fp16"));
  // Decomposed ops are hypothetical in their parts.
  const RunResult loss =
      timed(request("systolic_32x32_fp16", "bf16", "mlp", Mode::training), options(true, sets));
  texts.clear();
  for (const HypotheticalOp& op : loss.hypothetical)
    for (const npu::StandIn& one : op.stand_ins) texts.insert(npu::text_of(one));
  EXPECT_THAT(texts, ::testing::Contains("steps inside in fp32 as fp16"));
}

// --- bits ------------------------------------------------------------------------------------

/// Rounds to nearest even: `bits` of significand, smallest normal exponent `lowest`.
double rounded(double x, int bits, int lowest) {
  if (x == 0.0) return x;
  int exponent = 0;
  std::frexp(x, &exponent);
  const double quantum = std::ldexp(1.0, std::max(exponent - 1, lowest) - (bits - 1));
  return std::nearbyint(x / quantum) * quantum;
}
double to_bf16(double x) {
  return rounded(x, 8, -126);
}
double to_fp16(double x) {
  return rounded(x, 11, -14);
}

constexpr const char* kProduct = R"({"schema_version": 1, "kind": "workload", "name": "product",
"inputs": [{"name": "x", "shape": [5, 70], "initializer": {"kind": "normal"}}],
"initializers": [{"name": "w", "shape": [7, 70], "initializer": {"kind": "normal"}},
                 {"name": "b", "shape": [7], "initializer": {"kind": "normal"}}],
"nodes": [{"op": "Gemm", "name": "fc", "inputs": ["x", "w", "b"], "outputs": ["y"],
           "attributes": {"transB": 1}}],
"outputs": ["y"]})";

/// The product above on a machine: what it reads and writes.
struct Product {
  std::vector<double> x, w, b, y;
  npu::GemmMapping gemm;

  Product(const npu::NpuSpec& npu, const workloads::Recipe& recipe, const std::string& file) {
    base::write_whole_file(file, kProduct);
    const workloads::Workload workload = workloads::load_workload(file);
    const npu::MappedGraph mapped =
        npu::map_graph(npu, workloads::apply_recipe(workload.graph, recipe), recipe);
    const precision::ParallelFor serial = precision::serial();
    StepExecutor executor(mapped, recipe.internal, 3, serial);
    const std::vector<int> writer = workloads::writers(mapped.graph);
    for (std::size_t i = 0; i < mapped.graph.tensors.size(); ++i) {
      const workloads::TensorInfo& info = mapped.graph.tensors[i];
      if (writer[i] < 0 && info.initializer)
        executor.load(static_cast<workloads::TensorId>(i),
                      workloads::make_values(*info.initializer, info.shape, info.type,
                                             workloads::values_name(info), 3)
                          .values);
    }
    executor.run(0, {}, {});
    const auto value = [&](int input) {
      const workloads::Node& fc =
          *std::find_if(mapped.graph.nodes.begin(), mapped.graph.nodes.end(),
                        [](const workloads::Node& node) { return node.op == "Gemm"; });
      return executor.value(fc.inputs[static_cast<std::size_t>(input)]).values;
    };
    x = value(0);
    w = value(1);
    b = value(2);
    y = executor.value(mapped.graph.outputs[0]).values;
    for (const npu::MappedOp& op : mapped.ops)
      if (op.gemm) gemm = *op.gemm;
  }

  /// A chain of fused multiply-adds down each column of 32 rows; the first sum is added to the
  /// bias, and so are the others, each sum rounded by `sum`.
  template <class Round>
  std::vector<double> chains(const Round& sum) const {
    std::vector<double> result;
    for (std::size_t m = 0; m < 5; ++m)
      for (std::size_t n = 0; n < 7; ++n) {
        double total = sum(b[n]);
        for (std::size_t first = 0; first < 70; first += 32) {
          double column = 0.0;
          for (std::size_t k = first; k < std::min<std::size_t>(70, first + 32); ++k)
            column = sum(column + x[m * 70 + k] * w[n * 70 + k]);
          total = sum(total + column);
        }
        result.push_back(total);
      }
    return result;
  }
};

std::vector<double> stored(std::vector<double> values) {
  for (double& value : values) value = to_bf16(value);
  return values;
}

TEST_F(WhatIf, BitsAreThoseOfTheFormatAskedForInTheUnitsOwnOrder) {
  // The unit of a file, and the same one described by the array.
  for (const std::vector<std::string>& sets :
       {std::vector<std::string>{},
        std::vector<std::string>{R"(mac_array.inputs=[{"format": "fp16"}])"}}) {
    const Product product(npu("systolic_32x32_fp16", sets), recipe("bf16"), folder_.path("w.json"));
    EXPECT_EQ(product.gemm.unit.a.name, "bf16");
    for (const std::vector<double>* operand : {&product.x, &product.w})
      EXPECT_EQ(*operand, stored(*operand));  // BF16 values
    EXPECT_EQ(product.y, stored(product.chains(to_fp16)));
  }
}

TEST_F(WhatIf, AnAccumulatorSumsInItsOwnFormat) {
  for (const std::vector<std::string>& sets :
       {std::vector<std::string>{},
        std::vector<std::string>{R"(mac_array.inputs=[{"format": "fp16"}])"}}) {
    const workloads::Recipe bf16 = recipe("bf16", {"accumulator=bf16"});
    const Product product(npu("systolic_32x32_fp16", sets), bf16, folder_.path("w.json"));
    EXPECT_EQ(product.gemm.unit.accumulator().format.name, "bf16");
    EXPECT_EQ(product.y, product.chains(to_bf16));
    EXPECT_EQ(product.gemm.accumulator_latency_cycles, 1);  // of the FP16 sums
  }
}

// --- every output ----------------------------------------------------------------------------

TEST_F(WhatIf, EveryOutputOfARunSaysIt) {
  const std::vector<RunRequest> requests = {request("systolic_32x32_fp16", "bf16"),
                                            request("systolic_32x32_fp32", "bf16")};
  const RunOptions o = options(true);
  const Result result = run_all(requests, o);
  ASSERT_EQ(result.runs[0].status, Status::ok) << result.runs[0].error;
  const std::string label = "operands in bf16 as fp16";
  const std::string line = "systolic_32x32_fp16 mlp inference bf16: hypothetical: " + label;
  EXPECT_THAT(table_of(result), AllOf(HasSubstr("ok (hypothetical)"), HasSubstr(line)));
  EXPECT_THAT(table_of(result), HasSubstr("(3 hypothetical)"));  // of its ops
  EXPECT_THAT(markdown_of(result), AllOf(HasSubstr("| ok (hypothetical) |"), HasSubstr(line)));
  const std::string csv = csv_of(result);
  EXPECT_THAT(csv, HasSubstr(",hypothetical\r\n"));
  EXPECT_THAT(csv, HasSubstr(",hypothetical: " + label + " (3 ops)\r\n"));
  EXPECT_EQ(csv.substr(csv.size() - 3), ",\r\n");  // the declared run's cell is empty
  EXPECT_THAT(op_table_of(result.runs[0]), HasSubstr(label));
  EXPECT_THAT(op_table_of(result.runs[1]), Not(HasSubstr("hypothetical")));
  EXPECT_THAT(numerics_table_of(result.runs[0]), HasSubstr(" (hypothetical)"));
  EXPECT_THAT(coverage_table_of(result, true), HasSubstr("hypothetical: " + label));
  EXPECT_THAT(coverage_markdown_of(result, true), HasSubstr("runs hypothetically"));
  EXPECT_THAT(explain_mappings(requests, o).at(0), HasSubstr("(hypothetical)"));

  base::JsonValue document = json_of(result);
  document.set("comparison", json_of(result, ComparisonOptions()));
  const json written = json::parse(base::dump_json(document));
  const test::JsonSchema schema("result.schema.json");
  EXPECT_TRUE(schema.accepts(written));
  const json& first = written["runs"][0];
  EXPECT_EQ(first["hypothetical"]["stand_ins"][0],
            json::parse(R"({"role": "operands", "format": "bf16", "as": "fp16", "ops": 3})"));
  EXPECT_EQ(first["hypothetical"]["ops"].size(), 3U);
  EXPECT_EQ(first["coverage"]["hypothetical"], 3);
  EXPECT_EQ(first["coverage"]["verdict"], "runs hypothetically");
  for (const char* section : {"timing", "numerics", "coverage"}) {
    const json& rows = first[section][std::string(section) == "coverage" ? "ops" : "by_op"];
    for (const json& row : rows)
      EXPECT_EQ(row.contains("hypothetical"), row["op"] == "Gemm") << section << row["node"];
  }
  EXPECT_FALSE(written["runs"][1].contains("hypothetical"));
  EXPECT_EQ(written["comparison"]["runs"][0]["hypothetical"], true);
  EXPECT_FALSE(written["comparison"]["runs"][1].contains("hypothetical"));
  for (const test::Change& change :
       {test::Change{"/runs/0/hypothetical/ops", nullptr, false},
        test::Change{"/runs/0/hypothetical/stand_ins/0/role", R"("all")", false},
        test::Change{"/runs/0/timing/by_op/0/hypothetical", "true", false}})
    EXPECT_EQ(schema.accepts(test::changed(written, change)), change.good) << change.pointer;
  EXPECT_THAT(html_of(document),
              AllOf(HasSubstr(R"("hypothetical":{"stand_ins")"), HasSubstr("hypothetical(runs)")));
}

TEST_F(WhatIf, SampledOpsAndTracesSayIt) {
  RunOptions o = options(true);
  o.max_numeric_macs = 1;
  o.simulation.trace = folder_.path("trace.json");
  const RunResult result = run(request("systolic_32x32_fp16", "bf16"), o);
  ASSERT_TRUE(result.numerics->sampled.has_value());
  const json written = json::parse(base::dump_json(json_of(result)));
  EXPECT_TRUE(written["numerics"]["sampled"]["by_op"][0].contains("hypothetical"));
  EXPECT_THAT(numerics_table_of(result), HasSubstr(" (hypothetical)"));
  const json trace = json::parse(base::read_whole_file(o.simulation.trace));
  EXPECT_EQ(trace["otherData"]["hypothetical"], true);
}

TEST_F(WhatIf, ADifferenceTellsWhichSideIsHypothetical) {
  const auto document = [&](const std::vector<std::string>& sets) {
    return json_of(run_all({request("systolic_32x32_fp16", "bf16")}, options(true, sets)));
  };
  // BF16 for the one side is declared.
  const base::JsonValue before = document({R"(npu.mac_array.inputs=[{"format": "bf16"}])"});
  const base::JsonValue after = document({});
  const ResultDifference difference = difference_of(before, after);
  EXPECT_THAT(text_of(difference, false), HasSubstr("(hypothetical in the second file)"));
  EXPECT_THAT(markdown_of(difference, false), HasSubstr("(hypothetical in the second file)"));
  const json written = json::parse(base::dump_json(json_of(difference)));
  EXPECT_EQ(written["runs"][0]["hypothetical"], json::parse(R"({"before": false, "after": true})"));
  EXPECT_THAT(text_of(difference_of(after, after), false), HasSubstr(" (hypothetical): no diff"));
}

TEST_F(WhatIf, SuitesSayItInAFileAndInTheirReports) {
  const std::string suite = R"({"schema_version": 1, "kind": "suite", "name": "s", "runs": [
    {"name": "a", "npu": "systolic_32x32_fp16", "workload": "mlp", "recipe": "bf16",
     "what_if": true, "numerics": false, "baseline": "a.json"}]})";
  EXPECT_TRUE(test::JsonSchema("suite.schema.json").accepts(json::parse(suite)));
  base::write_whole_file(folder_.path("suite.json"), suite);
  const Suite loaded = load_suite(folder_.path("suite.json"));
  EXPECT_TRUE(loaded.runs[0].options.what_if);
  EXPECT_TRUE(check_suite(loaded, options(false), true).rows[0].error.empty());
  const CheckReport report = check_suite(loaded, options(false), false);
  EXPECT_TRUE(report.passed());
  EXPECT_THAT(text_of(report), HasSubstr("PASS a (hypothetical)"));
  EXPECT_THAT(markdown_of(report), HasSubstr("| a (hypothetical) |"));
  EXPECT_THAT(junit_of(report), HasSubstr("name=\"a (hypothetical)\""));
  EXPECT_THAT(base::dump_json(json_of(report)), HasSubstr("\"hypothetical\": true"));
  EXPECT_THAT(base::read_whole_file(folder_.path("a.json")), HasSubstr("\"hypothetical\""));
}

TEST_F(WhatIf, SweepsSayItInTheFileAndCountHypotheticalOps) {
  const std::string axes = R"("recipe": "fp16", "axes": [{"path": "recipe.formats.weights",
    "values": ["bf16", "fp16"]}])";
  Sweep sweep = folder_.sweep(R"("what_if": true, )" + axes);
  EXPECT_TRUE(test::JsonSchema("sweep.schema.json")
                  .accepts(json::parse(base::read_whole_file(folder_.path("sweep.json")))));
  const PointSetup setup = setup_of_text(to_text(setup_of(sweep)));
  EXPECT_TRUE(setup.what_if);
  PointEvaluator evaluator(setup);
  SweepResult result;
  result.sweep = sweep;
  for (const char* format : {"bf16", "fp16"}) {
    StoredPoint point;
    point.assignment = {{"recipe.formats.weights", base::JsonValue::make_string(format)}};
    point.outcome = evaluator.evaluate(request_of(sweep, point.assignment));
    EXPECT_EQ(point.outcome.status, PointStatus::ok) << point.outcome.reason;
    result.points.push_back(point);
  }
  result.front = {true, true};
  const std::size_t metric = *find_metric("hypothetical_ops");
  EXPECT_EQ(result.points[0].outcome.metrics[metric], 5.0);  // FP16 by BF16
  EXPECT_EQ(result.points[1].outcome.metrics[metric], 5.0);
  EXPECT_THAT(table_of(result),
              AllOf(HasSubstr("hypothetical_ops"), HasSubstr("2 points are hypothetical")));
  EXPECT_THAT(csv_of(result), HasSubstr(",hypothetical_ops,"));
  EXPECT_THAT(base::dump_json(json_of(result)), HasSubstr("\"hypothetical_ops\": 5"));
  EXPECT_THAT(html_of(result), HasSubstr("\"hypothetical_ops\":5"));
  // Without it: no such column, and no such metric to constrain.
  const Sweep plain = folder_.sweep(axes);
  EXPECT_NE(header_of(plain).identity, header_of(sweep).identity);
  EXPECT_THAT(header_of(plain).identity, Not(HasSubstr("what_if")));
  result.sweep = plain;
  EXPECT_THAT(csv_of(result), Not(HasSubstr("hypothetical")));
  EXPECT_THROW(folder_.sweep(axes + R"(, "constraints": [{"metric": "hypothetical_ops",
    "at_most": 0}])"),
               base::InputError);
}

TrainRequest training(const std::string& npu, const std::vector<std::string>& recipes) {
  TrainRequest request;
  request.npu_file = find_file("npu", npu);
  request.workload_file = find_file("workload", "lenet5");
  for (const std::string& name : recipes) request.recipe_files.push_back(find_file("recipe", name));
  request.overrides = {base::parse_override("workload.parameters.batch=4")};
  request.options.data = "digits";
  request.options.train_samples = 8;
  request.options.test_samples = 8;
  request.options.seed = 2;
  request.jobs = 1;
  request.what_if = true;
  return request;
}

TEST_F(WhatIf, EveryOutputOfTrainingSaysIt) {
  std::vector<std::string> log;
  TrainRequest request = training("systolic_32x32_fp16", {"bf16_fp32_master", "fp16_fp32_master"});
  request.options.log = [&](const std::string& text) { log.push_back(text); };
  const TrainResult result = train_all(request);
  ASSERT_EQ(result.runs[0].status, TrainStatus::ok) << result.runs[0].error;
  EXPECT_EQ(result.runs[0].step_seconds, result.runs[1].step_seconds);  // the stand-in's
  const std::string line = "bf16_fp32_master: hypothetical: operands in bf16 as fp16 (";
  EXPECT_THAT(table_of(result), AllOf(HasSubstr("ok (hypothetical)"), HasSubstr(line)));
  EXPECT_THAT(markdown_of(result), AllOf(HasSubstr("| ok (hypothetical) |"), HasSubstr(line)));
  EXPECT_THAT(csv_of(result), HasSubstr(",ok (hypothetical)\r\n"));
  EXPECT_THAT(table_of(result), Not(HasSubstr("fp16_fp32_master: hypothetical")));
  const json written = json::parse(base::dump_json(json_of(result)));
  const test::JsonSchema schema("train_result.schema.json");
  EXPECT_TRUE(schema.accepts(written));
  EXPECT_EQ(written["runs"][0]["hypothetical"]["stand_ins"][0]["as"], "fp16");
  EXPECT_FALSE(written["runs"][1].contains("hypothetical"));
  EXPECT_FALSE(written["reference"].contains("hypothetical"));
  EXPECT_FALSE(
      schema.accepts(test::changed(written, {"/runs/0/hypothetical/ops", nullptr, false})));
  EXPECT_THAT(html_of(json_of(result)), HasSubstr(R"("hypothetical":{"stand_ins")"));
  int marked = 0;
  for (const std::string& text : log) {
    const json entry = json::parse(text);
    EXPECT_EQ(entry.value("hypothetical", false), entry["recipe"] == "bf16_fp32_master") << text;
    marked += entry.value("hypothetical", false) ? 1 : 0;
  }
  EXPECT_EQ(marked, 2 + 2);  // steps and evaluations
  request.what_if = false;
  EXPECT_EQ(train_all(request).runs[0].status, TrainStatus::unsupported);
}

TEST_F(WhatIf, AdviceAndSensitivitySayIt) {
  TrainRequest request = training("gemmini_int8", {});
  request.npu_file = find_file("npu", "systolic_32x32_fp16");
  request.overrides.push_back(base::parse_override(R"(npu.mac_array.inputs=[{"format": "e6m9"}])"));
  const Advice advice = advise(request);
  EXPECT_THAT(text_of(advice), AllOf(HasSubstr("ok (hypothetical)"), HasSubstr("as e6m9")));
  EXPECT_THAT(markdown_of(advice), HasSubstr("(hypothetical)"));
  request.what_if = false;
  EXPECT_THAT(advise(request).reason, HasSubstr("neither BF16 nor FP16; it takes e6m9"));

  TrainRequest base = training("systolic_32x32_fp16", {"fp16"});
  SensitivityOptions search;
  search.candidates = {"bf16"};
  const Sensitivity found = sensitivity(base, search);
  EXPECT_TRUE(found.base_row.hypothetical.empty());
  EXPECT_THAT(text_of(found), HasSubstr("ok (hypothetical)"));
  EXPECT_THAT(csv_of(found), HasSubstr("ok (hypothetical)"));
  EXPECT_THAT(base::dump_json(json_of(found)), HasSubstr("\"hypothetical\""));
}

// --- every design ----------------------------------------------------------------------------

/// Whatever a recipe asks of whatever design: it runs as declared, hypothetically, or is refused
/// with a reason.
TEST_F(WhatIf, EveryDesignTakesOrRefusesEveryFormat) {
  int hypothetical = 0;
  for (const auto& entry : std::filesystem::directory_iterator(data_folder() + "/configs/npus")) {
    if (entry.path().extension() != ".json") continue;
    npu::NpuSpec spec = npu::load_npu(entry.path().string());
    for (const char* name : {"bf16_fp32_master", "fp16_fp16_accumulate", "fp8_current_scaling",
                             "mxfp8", "fp32", "int8"}) {
      const workloads::Recipe r = recipe(name);
      const workloads::Workload mlp = workloads::load_workload(find_file("workload", "mlp"));
      const workloads::Graph step = workloads::make_training_step(mlp, r);
      const auto try_it = [&](bool what_if) {
        spec.what_if = what_if;
        try {
          return std::make_pair(std::string(), npu::map_graph(spec, step, r));
        } catch (const npu::UnsupportedError& refused) {
          return std::make_pair(std::string(refused.what()), npu::MappedGraph());
        }
      };
      const auto [why, mapped] = try_it(true);
      const auto [declared_why, declared] = try_it(false);
      if (declared_why.empty()) {
        EXPECT_EQ(why, "") << spec.name << " " << name;
        EXPECT_TRUE(mapped.stand_ins.empty()) << spec.name << " " << name;
        EXPECT_EQ(mapped.hash(), declared.hash()) << spec.name << " " << name;
      } else if (why.empty()) {
        EXPECT_FALSE(mapped.stand_ins.empty()) << spec.name << " " << name;
        ++hypothetical;
      }
    }
  }
  EXPECT_GT(hypothetical, 30);
}

}  // namespace
}  // namespace npusim::sim
