// SPDX-License-Identifier: Apache-2.0
// The ONNX ops that training and inference of classification, detection, language models,
// diffusion, GANs, speech, recommenders and vision transformers are made of are ops of this build.
#include <gtest/gtest.h>

#include "workloads/op.h"

namespace npusim::workloads {
namespace {

TEST(ScenarioOps, AreAllThere) {
  for (const char* name : {"Abs",
                           "Adagrad",
                           "Adam",
                           "Add",
                           "ArgMax",
                           "Attention",
                           "AveragePool",
                           "BatchNormalization",
                           "Cast",
                           "Clip",
                           "Concat",
                           "Conv",
                           "ConvTranspose",
                           "Cos",
                           "CtcLoss",
                           "CumSum",
                           "Div",
                           "Dropout",
                           "Erf",
                           "Expand",
                           "Flatten",
                           "GRU",
                           "Gather",
                           "Gelu",
                           "Gemm",
                           "GlobalAveragePool",
                           "GroupNormalization",
                           "InstanceNormalization",
                           "IsInf",
                           "IsNaN",
                           "LSTM",
                           "LayerNormalization",
                           "LeakyRelu",
                           "Log",
                           "LogSoftmax",
                           "LpNormalization",
                           "MatMul",
                           "MaxPool",
                           "Momentum",
                           "Mul",
                           "NegativeLogLikelihoodLoss",
                           "NonMaxSuppression",
                           "Pad",
                           "RMSNormalization",
                           "RNN",
                           "ReduceMean",
                           "ReduceSum",
                           "ReduceSumSquare",
                           "Relu",
                           "Reshape",
                           "Resize",
                           "RoiAlign",
                           "RotaryEmbedding",
                           "ScatterElements",
                           "Sigmoid",
                           "Sin",
                           "Slice",
                           "Softmax",
                           "SoftmaxCrossEntropyLoss",
                           "Split",
                           "Sqrt",
                           "Squeeze",
                           "Sub",
                           "Swish",
                           "Tanh",
                           "TensorScatter",
                           "TopK",
                           "Transpose",
                           "Unsqueeze",
                           "Where"})
    EXPECT_NE(ops().find(name), nullptr) << name;
}

// Random results cannot be held against FP64; workloads/README.md says so.
TEST(ScenarioOps, ExceptThoseThatDrawAtRandom) {
  EXPECT_EQ(ops().find("Multinomial"), nullptr);
}

}  // namespace
}  // namespace npusim::workloads
