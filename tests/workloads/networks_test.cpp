// SPDX-License-Identifier: Apache-2.0
// Sizes of the shipped networks, to the digit: what was published where it is known, else what
// follows from the stated architecture (then the sum is written out). MACs are those of matrix
// products, as torchvision and most papers count them.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tests/source_dir.h"
#include "workloads/workload.h"

namespace npusim::workloads {
namespace {

Workload shipped(const std::string& name, const std::vector<std::string>& sets = {}) {
  std::vector<base::Override> overrides;
  for (const std::string& text : sets)
    overrides.push_back(base::parse_override("workload.parameters." + text).override);
  return load_workload(test::source_dir() + "/workloads/" + name + ".json", overrides);
}

struct Size {
  std::int64_t parameters, macs;
};

void expect_size(const std::string& name, const std::vector<std::string>& sets, const Size& size) {
  const Graph graph = shipped(name, sets).graph;
  EXPECT_EQ(graph.parameter_count(), size.parameters) << name;
  EXPECT_EQ(graph.mac_count(), size.macs) << name;
}

// LeCun et al. 1998, with C3 fully connected: 6*25+6 + 16*150+16 + 120*401 + 84*121 + 10*85.
TEST(NetworkSizes, LeNet5) {
  expect_size("lenet5", {"batch=1"},
              {61706, 28 * 28 * 150 + 10 * 10 * 2400 + 400 * 120 + 120 * 84 + 84 * 10});
}

// He et al. 2016, section 4.2: 0.27M. 269,722 with option A, the 1x1 convolutions of option B and
// their norms add 16*32 + 2*32 + 32*64 + 2*64.
TEST(NetworkSizes, SmallResNetIsResNet20) {
  expect_size("small_resnet", {"batch=1"}, {269722 + 512 + 64 + 2048 + 128, 40813184});
  expect_size("small_resnet", {"batch=1", "blocks=5"}, {464154 + 2752, 69124736});  // ResNet-32
}

// Three double convolutions down (1-16-16, 16-32-32, 32-64-64), two up (64-32, 32-16), 1x1 out.
TEST(NetworkSizes, SmallUNet) {
  const std::int64_t down = 9 * (16 + 256) + 32 + 9 * (512 + 1024) + 64 + 9 * (2048 + 4096) + 128;
  const std::int64_t up = 4 * 2048 + 32 + 4 * 512 + 16;
  const std::int64_t joined = 9 * (2048 + 1024) + 64 + 9 * (512 + 256) + 32;
  const std::int64_t macs = 1024 * 9 * (16 + 256) + 256 * 9 * (512 + 1024) +
                            64 * 9 * (2048 + 4096) + 64 * 4 * 2048 + 256 * 4 * 512 +
                            256 * 9 * (2048 + 1024) + 1024 * 9 * (512 + 256) + 1024 * 32;
  expect_size("small_unet", {"batch=1"}, {down + up + joined + 32 + 2, macs});
}

// openai/gpt-2 hparams: 124,439,808. The head is the token embedding: its parameters count once,
// its MACs are there.
TEST(NetworkSizes, Gpt2Small) {
  expect_size("gpt2_small", {}, {124439808, 145824153600});
}

// 4 layers of 12*128^2 + 13*128, embeddings of 65 characters and 64 positions, last norm.
TEST(NetworkSizes, SmallGpt) {
  const std::int64_t layer = 12 * 128 * 128;
  const std::int64_t attention = 2 * 64 * 64 * 128;
  expect_size("small_gpt", {"batch=1"},
              {4 * (layer + 13 * 128) + (65 + 64) * 128 + 2 * 128,
               4 * (64 * layer + attention) + 64 * 65 * 128});
}

// Zaremba et al. 2014: 4.65M, 19.8M and 66M. With one bias a gate: 4,651,600, 19,775,200 and
// 66,022,000; ONNX (like PyTorch) adds a second one of 4*hidden for each of the two layers.
TEST(NetworkSizes, PtbLstm) {
  expect_size("ptb_lstm", {}, {4651600 + 2 * 4 * 200, 20 * 2 * 6400000 + 800000000});
  expect_size("ptb_lstm", {"hidden=650", "steps=35"},
              {19775200 + 2 * 4 * 650, 35 * 2 * 20LL * 1300 * 2600 + 700LL * 650 * 10000});
  expect_size("ptb_lstm", {"hidden=1500", "steps=35"},
              {66022000 + 2 * 4 * 1500, 35 * 2 * 20LL * 3000 * 6000 + 700LL * 1500 * 10000});
}

// 65 characters in and out, one layer of 128 with two biases a gate.
TEST(NetworkSizes, SmallLstm) {
  expect_size("small_lstm", {"batch=1"},
              {65 * 128 + 8 * 128 * 128 + 8 * 128 + 65 * 129, 32 * (8 * 128 * 128 + 65 * 128)});
}

}  // namespace
}  // namespace npusim::workloads
