// SPDX-License-Identifier: Apache-2.0
#include "sim/validation/validation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "base/error.h"
#include "npu_models/compat/nvdla_sheet.h"
#include "npu_models/compat/onnxim.h"
#include "npu_models/compat/scalesim.h"
#include "npu_models/organisation.h"
#include "tests/source_dir.h"

namespace npusim::sim {
namespace {

using npu::Dataflow;

TEST(ValidationSet, StatisticsOfPointsWorkedByHand) {
  ValidationSet set;
  set.points = {{"a", 10.0, 11.0}, {"b", 20.0, 15.0}, {"c", 40.0, 40.0}, {"d", 80.0, 88.0}};
  EXPECT_NEAR(set.median_error(), 0.1, 1e-12);
  EXPECT_NEAR(set.mean_error(), (0.1 + 0.25 + 0.0 + 0.1) / 4.0, 1e-12);
  EXPECT_NEAR(set.largest_error(), 0.25, 1e-12);
  EXPECT_NEAR(*set.spearman(), 1.0, 1e-12);
  set.points[0].simulated = 15.0;  // a tie of the first two: ranks 0.5, 0.5, 2, 3
  EXPECT_NEAR(*set.spearman(), 4.5 / std::sqrt(5.0 * 4.5), 1e-12);
  set.points.resize(2);
  EXPECT_FALSE(set.spearman());
  set.limits = {{"x", 0.05, 0.05, false}, {"y", 0.97, 0.98, true}};
  EXPECT_TRUE(set.limits[0].holds());
  EXPECT_FALSE(set.limits[1].holds());
  EXPECT_FALSE(set.holds());
}

TEST(ValidateTiming, EveryShippedSetKeepsItsPromise) {
  std::map<std::string, ValidationSet> sets;
  for (const ValidationSet& set : validate_timing({})) {
    for (const ValidationLimit& limit : set.limits)
      EXPECT_TRUE(limit.holds()) << set.name << ": " << limit.what << " " << limit.value;
    sets[set.name] = set;
  }
  EXPECT_EQ(sets.size(), 7U);
  const ValidationSet& scored = sets.at("TPU v4 products, scored");
  EXPECT_EQ(scored.points.size(), 256U);
  EXPECT_EQ(sets.at("TPU v4 products, fitted on").points.size(), 256U);
  EXPECT_LE(scored.median_error(), 0.06);
  EXPECT_LE(scored.mean_error(), 0.09);
  EXPECT_GE(*scored.spearman(), 0.98);
  EXPECT_LE(sets.at("NVDLA ResNet-50").mean_error(), 0.05);
  EXPECT_EQ(sets.at("NVDLA ResNet-50").points.size(), 7U);
  EXPECT_EQ(sets.at("Intel NPU 4 convolutions").points.size(), 10U);
}

std::string reference(const std::string& text) {
  const std::string path = ::testing::TempDir() + "npusim_reference.csv";
  std::ofstream(path) << text;
  return path;
}

TEST(ValidateTiming, TakesMeasuredProductsFromAFile) {
  ValidationOptions options;
  options.references = {
      reference("name,dim_m,dim_n,dim_k,fusion_avg\nx,256,128,128,1.5\ny,512,512,512,6.9\n")};
  const std::vector<ValidationSet> sets = validate_timing(options);
  ASSERT_EQ(sets.size(), 1U);
  ASSERT_EQ(sets[0].points.size(), 2U);
  EXPECT_EQ(sets[0].points[0].name, "256x128x128");
  EXPECT_EQ(sets[0].points[1].published, 6.9);
  EXPECT_LT(std::fabs(sets[0].points[1].error()), 0.2);
  for (const char* bad : {"m,n,us\n1,2,3\n", "m,n,k,us\n1,2,3,x\n", "m,n,k,us\n1,0,3,4\n",
                          "m,n,k,us\n", "m,n,k,us\n1,2,3\n"}) {
    options.references = {reference(bad)};
    EXPECT_THROW(validate_timing(options), base::InputError) << bad;
  }
  options.references = {"/no/such/file.csv"};
  EXPECT_THROW(validate_timing(options), base::InputError);
}

TEST(ValidateTiming, TakesTotalsOfOtherSimulatorsFromAFile) {
  ValidationOptions options;
  options.references = {reference(
      "tool,version,array_rows,array_cols,dataflow,workload,M,N,K,compute_cycles,bw_mode\n"
      "scalesim,\"v3, fab\",32,32,os,gemm,128,128,128,3039,CALC\n"
      "scalesim,v3,32,32,ws,gemm,128,128,128,9999,USER\n")};
  std::vector<ValidationSet> sets = validate_timing(options);
  ASSERT_EQ(sets[0].points.size(), 1U);
  EXPECT_EQ(sets[0].points[0].error(), 0.0);
  options.references = {
      reference("array,workload,M,N,K,total_cycles\n128x128,g256,256,256,256,2070\n"
                "128x128,conv1,1,2,3,4\n")};
  sets = validate_timing(options);
  ASSERT_EQ(sets[0].points.size(), 1U);
  EXPECT_LT(std::fabs(sets[0].points[0].error()), 0.01);
  options.references = {reference("array,M,N,K,total_cycles\n128,256,256,256,2070\n")};
  EXPECT_THROW(validate_timing(options), base::InputError);
}

TEST(Compat, ScaleSimIsTheMachineWithoutOptionsButForItsLastCycle) {
  npu::MacArraySpec array;
  array.organisation = "systolic";
  array.rows = 12;
  array.cols = 7;
  array.fold_overlap = array.preload_hiding = false;
  array.drain = npu::Drain::direct;
  for (const Dataflow dataflow :
       {Dataflow::weight_stationary, Dataflow::input_stationary, Dataflow::output_stationary}) {
    array.dataflow = dataflow;
    const npu::TileShape product{100, 33, 65};
    EXPECT_EQ(npu::find_organisation("systolic")->tile_cycles(array, 1, 1, product).total() - 1,
              npu::compat::scalesim_cycles(dataflow, 12, 7, product));
  }
}

TEST(Compat, OnnximIsTilesAndAStart) {
  EXPECT_EQ(npu::compat::onnxim_cycles(128, 128, {512, 256, 256}), 4 * 512 + 254 + 800);
  EXPECT_EQ(npu::compat::onnxim_cycles(128, 128, {1, 4096, 4096}), 1024 * 128 + 254 + 800);
}

TEST(Compat, NvdlaSheetsOwnLayers) {
  const auto layers = npu::compat::nvdla_resnet50();
  ASSERT_EQ(layers.size(), 54U);
  // conv1: 76,832 cycles on 2,048 MACs; 196 + 16 + 196 KiB at 10 GB/s.
  const auto first = npu::compat::nvdla_estimate({2048, 512, 10.0}, layers[0]);
  EXPECT_DOUBLE_EQ(first.mac_cycles, 76832.0);
  EXPECT_DOUBLE_EQ(first.dram_cycles, 408.0 * 102.4);
  // res2a_branch2c adds a second operand: 196 + 16 + 2 * 784 KiB.
  const auto added = npu::compat::nvdla_estimate({2048, 512, 10.0}, layers[4]);
  EXPECT_DOUBLE_EQ(added.mac_cycles, 25088.0);
  EXPECT_DOUBLE_EQ(added.dram_cycles, 1780.0 * 102.4);
}

std::vector<std::map<std::string, std::string>> rows_of(const std::string& file) {
  std::ifstream stream(file);
  std::vector<std::string> header;
  std::vector<std::map<std::string, std::string>> rows;
  for (std::string line; std::getline(stream, line);) {
    std::istringstream cells(line);
    std::map<std::string, std::string> row;
    std::vector<std::string> values;
    for (std::string cell; std::getline(cells, cell, ',');) values.push_back(cell);
    if (header.empty()) {
      header = values;
      continue;
    }
    for (std::size_t i = 0; i < std::min(header.size(), values.size()); ++i)
      row[header[i]] = values[i];
    rows.push_back(row);
  }
  return rows;
}

TEST(Compat, EveryScaleSimRowOfTheReferenceIsExact) {
  const std::string file = test::source_dir() + "/../shared/reference/scalesim_cycles.csv";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "no reference figures beside the sources";
  int checked = 0;
  for (auto& row : rows_of(file)) {
    if (row["workload"] != "gemm" || row["bw_mode"] != "CALC") continue;
    const std::string& name = row["dataflow"];
    const Dataflow dataflow = name == "os"   ? Dataflow::output_stationary
                              : name == "ws" ? Dataflow::weight_stationary
                                             : Dataflow::input_stationary;
    EXPECT_EQ(npu::compat::scalesim_cycles(
                  dataflow, std::stoll(row["array_rows"]), std::stoll(row["array_cols"]),
                  {std::stoll(row["M"]), std::stoll(row["N"]), std::stoll(row["K"])}),
              std::stoll(row["compute_cycles"]))
        << row["layer"] << " " << name;
    ++checked;
  }
  EXPECT_EQ(checked, 35);
}

}  // namespace
}  // namespace npusim::sim
