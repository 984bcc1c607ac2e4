// SPDX-License-Identifier: Apache-2.0
// The detector on generated boxes, and arrays of .npz files as training data.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/array_file.h"
#include "base/thread_pool.h"
#include "npu_models/npu_file.h"
#include "sim/catalog.h"
#include "sim/training/evaluate.h"
#include "sim/training/train_report.h"
#include "sim/training/trainer.h"
#include "tests/base/temporary_folder.h"
#include "tests/workloads/zip_text.h"

namespace npusim::sim {
namespace {

TrainRun train_on(const std::string& workload_file, const std::string& recipe_name,
                  const std::string& npu_name, const TrainOptions& options) {
  const workloads::Workload workload = workloads::load_workload(workload_file);
  const workloads::Recipe recipe = workloads::load_recipe(find_file("recipe", recipe_name));
  base::ThreadPool pool(2);
  const precision::ParallelFor parallel = [&pool](std::int64_t n,
                                                  const std::function<void(std::int64_t)>& body) {
    pool.parallel_for(n, body);
  };
  TrainRun run;
  run.recipe = recipe_name;
  train(workload, recipe,
        npu_name.empty()
            ? map_training(workload, recipe)
            : map_training(npu::load_npu(find_file("npu", npu_name)), workload, recipe),
        open_data(workload, options), options, parallel, run);
  return run;
}

TrainOptions boxes(std::int64_t samples, std::int64_t epochs) {
  TrainOptions options;
  options.data = "boxes";
  options.train_samples = samples;
  options.test_samples = 320;
  options.epochs = epochs;
  options.seed = 1;
  return options;
}

TEST(Detector, IntersectionOverUnionByHand) {
  const double a[] = {0.5, 0.5, 0.4, 0.4};
  const double shifted[] = {0.7, 0.5, 0.4, 0.4};
  const double inside[] = {0.5, 0.5, 0.2, 0.2};
  const double apart[] = {0.05, 0.05, 0.1, 0.1};
  const double empty[] = {0.5, 0.5, -0.2, 0.4};
  EXPECT_NEAR(intersection_over_union(a, a), 1.0, 1e-15);
  EXPECT_NEAR(intersection_over_union(a, shifted), 0.08 / 0.24, 1e-15);
  EXPECT_NEAR(intersection_over_union(inside, a), 0.25, 1e-15);
  EXPECT_EQ(intersection_over_union(a, apart), 0.0);
  EXPECT_EQ(intersection_over_union(a, empty), 0.0);
}

TEST(Detector, FindsClassAndBoxOfImagesItHasNotSeen) {
  const TrainRun run =
      train_on(find_file("workload", "small_detector"), "fp32", "", boxes(1600, 6));
  ASSERT_EQ(run.status, TrainStatus::ok) << run.error;
  const Evaluation &before = run.evaluations.front(), &after = run.evaluations.back();
  EXPECT_LT(after.loss, 0.5 * before.loss);
  EXPECT_GT(after.accuracy, 0.75);
  ASSERT_TRUE(before.mean_iou && after.mean_iou);
  EXPECT_LT(*before.mean_iou, 0.2);
  EXPECT_GT(*after.mean_iou, 0.6);
}

TEST(Detector, TrainsOnAnNpuInBf16) {
  const std::string file = find_file("workload", "small_detector");
  const TrainRun bf16 = train_on(file, "bf16_fp32_master", "systolic128_bf16", boxes(320, 1));
  const TrainRun fp32 = train_on(file, "fp32", "", boxes(320, 1));
  ASSERT_EQ(bf16.status, TrainStatus::ok) << bf16.error;
  EXPECT_NE(bf16.weights_hash, fp32.weights_hash);
  EXPECT_NEAR(bf16.evaluations.back().loss, fp32.evaluations.back().loss, 0.2);
  TrainResult result;
  result.runs = {bf16};
  result.reference = fp32;
  EXPECT_THAT(table_of(result), ::testing::HasSubstr("mean IoU"));
}

// 64 points of two classes as .npy files and as members of an .npz.
TEST(TrainingData, NpzTrainsToTheBitsOfItsNpyFiles) {
  using base::ElementKind;
  namespace zip = workloads::testing;
  base::ArrayData x{ElementKind::f32, {64, 2}, {}}, y{ElementKind::i64, {64}, {}};
  for (int i = 0; i < 64; ++i) {
    x.values.push_back(static_cast<float>(i % 2 * 2 - 1) * (1.0F + static_cast<float>(i) / 64));
    x.values.push_back(static_cast<float>(i * 37 % 64) / 64);
    y.values.push_back(i % 2);
  }
  const test::TemporaryFolder folder;
  const std::string workload = folder.write("w.json", R"({
"schema_version": 1, "kind": "workload", "name": "points", "parameters": {"batch": 8},
"inputs": [{"name": "x", "shape": ["batch", 2], "initializer": {"kind": "normal"}},
           {"name": "label", "shape": ["batch"], "type": "int64", "role": "label",
            "initializer": {"kind": "uniform_int", "high": 1}}],
"initializers": [{"name": "w", "shape": [2, 2], "initializer": {"kind": "normal"}}],
"nodes": [{"op": "Gemm", "name": "fc", "inputs": ["x", "w"], "outputs": ["logits"],
           "attributes": {"transB": 1}}],
"outputs": ["logits"],
"training": {"logits": "logits", "labels": "label",
             "optimizer": {"kind": "sgd", "learning_rate": 0.1}}})");
  const std::string xs = base::format_npy(x), ys = base::format_npy(y);
  TrainOptions options = boxes(48, 2);
  options.test_samples = 16;
  const auto hash = [&](const std::string& data) {
    options.data = data;
    return train_on(workload, "bf16", "", options).weights_hash;
  };
  const std::uint64_t npy =
      hash("npy:" + folder.write("x.npy", xs) + "," + folder.write("y.npy", ys));
  const auto as_npz = [&](const std::vector<zip::ZipMember>& members) {
    return hash("npz:" + folder.write("f.npz", zip::zip_of(members)));
  };
  EXPECT_EQ(as_npz({zip::stored("x.npy", xs), zip::stored("y.npy", ys)}), npy);
  EXPECT_EQ(as_npz({zip::deflated("y.npy", ys), zip::deflated("x.npy", xs, 50)}), npy);
}

}  // namespace
}  // namespace npusim::sim
