// SPDX-License-Identifier: Apache-2.0
// Autocast: shipped lists are the published ones, op by op; which format each op takes follows the
// frameworks' rules, worked by hand on small networks.
#include "workloads/training/autocast.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tests/source_dir.h"
#include "workload_text.h"
#include "workloads/op.h"
#include "workloads/training/recipe_sections.h"
#include "workloads/training/transform.h"

namespace npusim::workloads {
namespace {

Recipe shipped(const std::string& name) {
  return load_recipe(std::string(test::source_dir()) + "/configs/recipes/" + name + ".json");
}

using Names = std::map<std::string, std::vector<std::string>>;

/// What PyTorch calls functions of ONNX's ops.
const Names& torch_names() {
  static const Names kNames = {{"scaled_dot_product_attention", {"Attention"}},
                               {"conv1d", {"Conv"}},
                               {"conv2d", {"Conv"}},
                               {"conv3d", {"Conv"}},
                               {"conv_transpose2d", {"ConvTranspose"}},
                               {"einsum", {"Einsum"}},
                               {"gru_cell", {"GRU"}},
                               {"lstm_cell", {"LSTM"}},
                               {"rnn_tanh_cell", {"RNN"}},
                               {"linear", {"Gemm", "MatMul"}},
                               {"addmm", {"Gemm"}},
                               {"matmul", {"MatMul"}},
                               {"bmm", {"MatMul"}},
                               {"prelu", {"PRelu"}},
                               {"acos", {"Acos"}},
                               {"asin", {"Asin"}},
                               {"cosh", {"Cosh"}},
                               {"cumsum", {"CumSum"}},
                               {"exp", {"Exp"}},
                               {"gelu", {"Gelu"}},
                               {"group_norm", {"GroupNormalization"}},
                               {"layer_norm", {"LayerNormalization"}},
                               {"local_response_norm", {"LRN"}},
                               {"log", {"Log"}},
                               {"softmax", {"Softmax"}},
                               {"log_softmax", {"LogSoftmax"}},
                               {"nll_loss", {"NegativeLogLikelihoodLoss"}},
                               // cross_entropy is log_softmax, then nll_loss
                               {"cross_entropy", {"SoftmaxCrossEntropyLoss"}},
                               {"pow", {"Pow"}},
                               {"reciprocal", {"Reciprocal"}},
                               {"norm", {"ReduceL1", "ReduceL2"}},
                               {"logsumexp", {"ReduceLogSumExp"}},
                               {"prod", {"ReduceProd"}},
                               {"sum", {"ReduceSum"}},
                               {"mean", {"ReduceMean"}},
                               {"upsample", {"Resize", "Upsample"}},
                               {"interpolate", {"Resize"}},
                               {"sinh", {"Sinh"}},
                               {"softplus", {"Softplus"}},
                               {"tan", {"Tan"}},
                               {"grid_sampler", {"GridSample"}},
                               {"fft_fft", {"DFT"}},
                               {"stft", {"STFT"}},
                               {"batch_norm", {"BatchNormalization"}},
                               {"instance_norm", {"InstanceNormalization"}},
                               {"dropout", {"Dropout"}},
                               {"leaky_relu", {"LeakyRelu"}},
                               {"mul", {"Mul"}},
                               {"div", {"Div"}},
                               {"embedding", {"Gather"}},
                               {"topk", {"TopK"}}};
  return kNames;
}

std::set<std::string> ops_of(const std::vector<std::string>& functions) {
  std::set<std::string> result;
  for (const std::string& name : functions)
    for (const std::string& op : torch_names().at(name)) result.insert(op);
  return result;
}

std::set<std::string> set_of(const std::vector<std::string>& ops) {
  return {ops.begin(), ops.end()};
}

void expect_lists(const char* recipe, const precision::Format& format,
                  const std::vector<std::string>& low, const std::vector<std::string>& fp32) {
  const Recipe loaded = shipped(recipe);
  const std::optional<Autocast> lists = autocast_of(loaded);
  ASSERT_TRUE(lists) << recipe;
  EXPECT_EQ(lists->format, format) << recipe;
  EXPECT_EQ(*loaded.operands, format) << recipe;
  EXPECT_EQ(loaded.weights, precision::fp32()) << recipe;
  EXPECT_EQ(set_of(lists->low), ops_of(low)) << recipe;
  EXPECT_EQ(set_of(lists->fp32), ops_of(fp32)) << recipe;
  EXPECT_EQ(lists->others, Autocast::Others::inputs) << recipe;
}

/// Functions of each list that an ONNX op exists for.
TEST(AutocastRecipes, ListsAreThePublishedOnes) {
  const std::vector<std::string> cuda_low = {"scaled_dot_product_attention",
                                             "conv1d",
                                             "conv2d",
                                             "conv3d",
                                             "conv_transpose2d",
                                             "einsum",
                                             "gru_cell",
                                             "lstm_cell",
                                             "rnn_tanh_cell",
                                             "linear",
                                             "addmm",
                                             "matmul",
                                             "bmm",
                                             "prelu"};
  std::vector<std::string> cuda_fp32 = {
      "acos",        "asin",          "cosh",      "exp",      "log",        "reciprocal",
      "sinh",        "tan",           "pow",       "softplus", "layer_norm", "group_norm",
      "nll_loss",    "cross_entropy", "logsumexp", "upsample", "prod",       "softmax",
      "log_softmax", "cumsum",        "sum",       "norm"};
  expect_lists("autocast_torch_cuda_fp16", precision::fp16(), cuda_low, cuda_fp32);
  expect_lists("autocast_torch_cuda_bf16", precision::bf16(), cuda_low, cuda_fp32);
  cuda_fp32.erase(std::find(cuda_fp32.begin(), cuda_fp32.end(), "upsample"));
  expect_lists("autocast_ascend_fp16", precision::fp16(), cuda_low, cuda_fp32);
  expect_lists("autocast_torch_cpu_bf16", precision::bf16(),
               {"conv1d", "conv2d", "conv3d", "bmm", "addmm", "linear", "matmul",
                "conv_transpose2d", "prelu", "scaled_dot_product_attention"},
               {"grid_sampler", "prod", "stft", "nll_loss", "cross_entropy", "fft_fft"});
  expect_lists("apex_o1", precision::fp16(),
               {"conv1d", "conv2d", "conv3d", "conv_transpose2d", "linear", "prelu", "addmm",
                "matmul", "bmm"},
               {"interpolate",   "grid_sampler", "softplus",
                "log_softmax",   "softmax",      "gelu",
                "layer_norm",    "group_norm",   "local_response_norm",
                "cross_entropy", "nll_loss",     "acos",
                "asin",          "cosh",         "exp",
                "log",           "reciprocal",   "sinh",
                "tan",           "pow",          "cumsum",
                "norm",          "prod",         "sum"});
  expect_lists("autocast_gaudi_bf16", precision::bf16(),
               {"addmm", "batch_norm", "bmm", "conv1d", "conv2d", "conv3d", "conv_transpose2d",
                "dropout", "group_norm", "instance_norm", "layer_norm", "leaky_relu", "linear",
                "matmul", "mean", "mul", "softmax", "log_softmax", "scaled_dot_product_attention"},
               {"acos", "asin", "cosh", "cross_entropy", "div", "embedding", "exp", "log",
                "logsumexp", "nll_loss", "pow", "reciprocal", "sinh", "softplus", "tan", "topk"});
}

TEST(AutocastRecipes, TensorFlowDeniesMeansInFp16Only) {
  const Autocast fp16 = *autocast_of(shipped("autocast_tensorflow_fp16"));
  const Autocast bf16 = *autocast_of(shipped("autocast_tensorflow_bf16"));
  EXPECT_EQ(fp16.others, Autocast::Others::grappler);
  std::set<std::string> denied = set_of(bf16.fp32);
  EXPECT_EQ(denied, (std::set<std::string>{"Exp", "Pow", "SoftmaxCrossEntropyLoss",
                                           "NegativeLogLikelihoodLoss"}));
  denied.insert({"ReduceMean", "ReduceSum"});
  EXPECT_EQ(set_of(fp16.fp32), denied);
  for (const char* op : {"Relu", "MaxPool", "Reshape", "Transpose", "Concat", "Where"})
    EXPECT_EQ(set_of(fp16.clear).count(op), 1U) << op;
}

TEST(AutocastRecipes, LossScalesAndLevelsOfTheFrameworks) {
  const LossScalingSpec torch = shipped("autocast_torch_cuda_fp16").loss_scaling;
  EXPECT_EQ(torch.initial, 65536.0);
  EXPECT_EQ(torch.interval, 2000);
  EXPECT_EQ(shipped("autocast_torch_cuda_bf16").loss_scaling.kind, LossScalingSpec::Kind::none);
  const LossScalingSpec keras = shipped("autocast_tensorflow_fp16").loss_scaling;
  EXPECT_EQ(keras.initial, 32768.0);
  EXPECT_EQ(keras.floor, 1.0);
  EXPECT_EQ(shipped("apex_o1").loss_scaling.cap, 16777216.0);
  const Recipe o2 = shipped("apex_o2");
  EXPECT_EQ(o2.weights, precision::fp16());
  EXPECT_EQ(*o2.master_weights, precision::fp32());
  EXPECT_EQ(o2.rules[0].formats.at(TensorRole::weight), precision::fp32());
  EXPECT_EQ(o2.loss_scaling.cap, 16777216.0);
  EXPECT_FALSE(shipped("apex_o3").master_weights);
  EXPECT_EQ(shipped("apex_o3").loss_scaling.kind, LossScalingSpec::Kind::none);
  EXPECT_EQ(shipped("apex_o0").activations, precision::fp32());
}

/// h = Gemm(x); n = norm(h); r = h + n; p = relu(h); s = softmax(r); logits = Gemm(s).
constexpr const char* kBlock = R"({"schema_version": 1, "kind": "workload", "name": "t",
"inputs": [{"name": "x", "shape": [6, 5], "initializer": {"kind": "normal"}},
           {"name": "labels", "shape": [6], "type": "int64", "role": "label",
            "initializer": {"kind": "uniform_int", "low": 0, "high": 2}}],
"initializers": [{"name": "w1", "shape": [4, 5], "initializer": {"kind": "normal"}},
                 {"name": "g", "shape": [4], "initializer": {"kind": "ones"}},
                 {"name": "w2", "shape": [3, 4], "initializer": {"kind": "normal"}}],
"nodes": [{"op": "Gemm", "name": "h", "inputs": ["x", "w1"], "attributes": {"transB": 1}},
          {"op": "LayerNormalization", "name": "n", "inputs": ["h.out", "g"]},
          {"op": "Add", "name": "r", "inputs": ["h.out", "n.out"]},
          {"op": "Relu", "name": "p", "inputs": ["h.out"]},
          {"op": "Add", "name": "q", "inputs": ["p.out", "h.out"]},
          {"op": "Add", "name": "m", "inputs": ["q.out", "r.out"]},
          {"op": "Gemm", "name": "c", "inputs": ["m.out", "w2"], "outputs": ["logits"],
           "attributes": {"transB": 1}}],
"outputs": ["logits"],
"training": {"logits": "logits", "labels": "labels",
             "optimizer": {"kind": "sgd", "learning_rate": 0.5}}})";

std::string stored(const Graph& graph, const Recipe& recipe, const std::string& tensor) {
  const TensorId id = graph.find(tensor);
  return id == kNoTensor ? "absent"
                         : storage_formats(graph, recipe)[static_cast<std::size_t>(id)].format.name;
}

TEST(Autocast, OpsOnNoListTakeTheWidestTypeOfTheirInputs) {
  const Recipe recipe = shipped("autocast_torch_cuda_fp16");
  const Graph graph = make_training_step(testing::read_text(kBlock), recipe);
  const auto format = [&](const char* tensor) { return stored(graph, recipe, tensor); };
  EXPECT_EQ(format("x"), "fp32");
  EXPECT_EQ(format("x.as_fp16"), "fp16");  // cast for the product
  EXPECT_EQ(format("w1"), "fp32");
  EXPECT_EQ(format("w1.as_fp16"), "fp16");
  EXPECT_EQ(format("h.out"), "fp16");
  EXPECT_EQ(format("n.out"), "fp32");  // on the FP32 list
  EXPECT_EQ(format("r.out"), "fp32");  // FP16 + FP32
  EXPECT_EQ(format("p.out"), "fp16");
  EXPECT_EQ(format("q.out"), "fp16");
  EXPECT_EQ(format("m.out"), "fp32");
  EXPECT_EQ(format("m.out.as_fp16"), "fp16");
  EXPECT_EQ(format("logits"), "fp16");
  EXPECT_EQ(format("c.da.out"), "fp16");  // the product's gradient in the product's format
  EXPECT_EQ(format("h.db.out"), "fp16");
  EXPECT_EQ(format("n.dx.out"), "fp32");
  const Recipe cpu = shipped("autocast_torch_cpu_bf16");
  EXPECT_EQ(stored(make_training_step(testing::read_text(kBlock), cpu), cpu, "n.out"), "bf16");
}

/// The example of the lists' comments: Exp makes the Add behind it unsafe.
TEST(Autocast, GrapplerCarriesDenialsOnAndPaintsBetweenProducts) {
  Autocast lists = *autocast_of(shipped("autocast_tensorflow_fp16"));
  Graph graph = testing::read_text(R"({"schema_version": 1, "kind": "workload", "name": "t",
"inputs": [{"name": "x", "shape": [4, 4], "initializer": {"kind": "normal"}}],
"initializers": [{"name": "w", "shape": [4, 4], "initializer": {"kind": "normal"}}],
"nodes": [{"op": "Tanh", "name": "start", "inputs": ["x"]},
          {"op": "Gemm", "name": "a", "inputs": ["start.out", "w"]},
          {"op": "Tanh", "name": "between", "inputs": ["a.out"]},
          {"op": "Gemm", "name": "b", "inputs": ["between.out", "w"]},
          {"op": "Exp", "name": "exp", "inputs": ["b.out"]},
          {"op": "Add", "name": "unsafe", "inputs": ["exp.out", "a.out"]},
          {"op": "Gemm", "name": "c", "inputs": ["unsafe.out", "w"]},
          {"op": "Relu", "name": "beside", "inputs": ["c.out"]},
          {"op": "Tanh", "name": "last", "inputs": ["c.out"]}],
"outputs": ["beside.out", "last.out"]})")
                    .graph;
  apply_autocast(graph, lists);
  const auto format = [&](const char* tensor) {
    const auto& info = graph.tensor(graph.find(tensor));
    return info.stored ? info.stored->name : "none";
  };
  EXPECT_EQ(format("start.out"), "fp32");  // not between two products
  EXPECT_EQ(format("a.out"), "fp16");
  EXPECT_EQ(format("between.out"), "fp16");
  EXPECT_EQ(format("exp.out"), "fp32");
  EXPECT_EQ(format("unsafe.out"), "fp32");
  EXPECT_EQ(format("c.out"), "fp16");
  EXPECT_EQ(format("beside.out"), "fp16");  // no numeric effect, beside a product
  EXPECT_EQ(format("last.out"), "fp32");
}

}  // namespace
}  // namespace npusim::workloads
