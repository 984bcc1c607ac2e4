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

// Convolutions 1-8-16-32 with pooling from 32x32 to 4x4, 64 hidden units, four classes and a box.
TEST(NetworkSizes, SmallDetector) {
  const std::int64_t products = 512 * 64 + 64 * 8;
  expect_size("small_detector", {"batch=1"},
              {9 * (8 + 8 * 16 + 16 * 32) + 8 + 16 + 32 + products + 64 + 8,
               9 * (1024 * 8 + 256 * 8 * 16 + 64 * 16 * 32) + products});
}

// torchvision's ResNet18_Weights, VGG16_Weights, AlexNet_Weights, MobileNet_V2_Weights,
// EfficientNet_B0_Weights: num_params; GMACs there are 1.814, 15.47, 0.714, 0.301 and 0.386.
TEST(NetworkSizes, Classifiers) {
  expect_size("resnet18", {}, {11689512, 1814073344});
  expect_size("vgg16", {}, {138357544, 15470264320});
  expect_size("alexnet", {}, {61100840, 714188480});
  expect_size("mobilenet_v2", {}, {3504872, 300774272});
  expect_size("efficientnet_b0", {}, {5288548, 385814752});
  expect_size("resnet18", {"batch=8"}, {11689512, 8 * 1814073344LL});
}

// torchvision's ViT_B_16_Weights: 86,567,656 parameters, 17.564 GMACs with attention.
TEST(NetworkSizes, VitB16) {
  expect_size("vit_b_16", {}, {86567656, 17563828224});
  expect_size("vit_b_16", {"batch=4"}, {86567656, 4 * 17563828224LL});
}

// HuggingFace's BertModel (pooler, no language-model head): 109,482,240 and 335,141,888. The
// classifier of two classes adds 2 * (hidden + 1) parameters and 2 * hidden MACs.
TEST(NetworkSizes, Bert) {
  expect_size("bert_base", {}, {109482240 + 2 * 769, 11174215680 + 2 * 768});
  expect_size("bert_large", {}, {335141888 + 2 * 1025, 123212922880 + 2 * 1024});
}

// meta-llama configs; prefill of 2048 tokens. A decode step multiplies by one row and attends 2048.
TEST(NetworkSizes, Llama2) {
  expect_size("llama2_7b_prefill", {}, {6738415616, 14630806093824});
  const std::int64_t layer = 4 * 4096LL * 4096 + 3 * 4096LL * 11008;
  expect_size("llama2_7b_decode", {},
              {6738415616, 32 * (layer + 2 * 4096LL * 2048) + 4096LL * 32000});
}

// 8,030,261,248: keys and values are a quarter as wide.
TEST(NetworkSizes, Llama3) {
  const std::int64_t layer = 2 * 4096LL * 4096 + 2 * 4096LL * 1024 + 3 * 4096LL * 14336;
  const std::int64_t products = 32 * layer + 4096LL * 128256;
  expect_size("llama3_8b_prefill", {}, {8030261248, 2048 * (products + 32 * 2 * 4096LL * 2048)});
  expect_size("llama3_8b_decode", {}, {8030261248, products + 32 * 2 * 4096LL * 2048});
}

// 46,702,792,704 parameters (46.7B in the paper), of which a token uses two experts of eight: with
// balanced experts the MACs are those of 12.9B parameters.
TEST(NetworkSizes, Mixtral) {
  const std::int64_t attention = 2 * 4096LL * 4096 + 2 * 4096LL * 1024;
  const std::int64_t expert = 3 * 4096LL * 14336;
  const std::int64_t token = 32 * (attention + 8 * 4096 + 2 * expert) + 4096LL * 32000;
  const std::int64_t attended = 32 * 2 * 4096LL * 2048;
  expect_size("mixtral_8x7b_prefill", {}, {46702792704, 2048 * (token + attended)});
  expect_size("mixtral_8x7b_decode", {}, {46702792704, 4 * (token + attended)});
}

// Brown et al. 2020, table D.1: 174,600 M parameters.
TEST(NetworkSizes, Gpt3) {
  const std::int64_t hidden = 12288;
  const std::int64_t layer = 12 * hidden * hidden;
  expect_size("gpt3_175b", {},
              {96 * (layer + 13 * hidden) + (50257 + 2048) * hidden + 2 * hidden,
               2048 * (96 * (layer + 2 * 2048 * hidden) + 50257 * hidden)});
  const double millions = static_cast<double>(shipped("gpt3_175b").graph.parameter_count()) / 1e6;
  EXPECT_NEAR(millions, 174600, 5);
}

// CompVis/runwayml v1: UNet 859,520,964 parameters; the autoencoder has 83,653,863, of which the
// encoder and its 1x1 convolution 34,163,592 + 72.
TEST(NetworkSizes, StableDiffusion) {
  EXPECT_EQ(shipped("sd15_unet").graph.parameter_count(), 859520964);
  EXPECT_EQ(shipped("sd15_vae_decoder").graph.parameter_count(), 83653863 - 34163592 - 72);
}

// pytorch/examples.
TEST(NetworkSizes, Dcgan) {
  expect_size("dcgan_generator", {}, {3576704, 104628224});
  expect_size("dcgan", {}, {3576704 + 2765568, 104628224 + 103817216});
  expect_size("dcgan_discriminator", {}, {2765568, 103817216});
}

// torchvision's SSD300_VGG16_Weights: 35,641,826 parameters, 34.858 GMACs, 8732 boxes.
TEST(NetworkSizes, Ssd300) {
  const Graph graph = shipped("ssd300_vgg16").graph;
  EXPECT_EQ(graph.parameter_count(), 35641826);
  EXPECT_NEAR(static_cast<double>(graph.mac_count()) / 1e9, 34.858, 0.0005);
  EXPECT_EQ(graph.tensor(graph.find("class_scores")).shape, (Shape{1, 91, 8732}));
}

// Heads of torchvision's fasterrcnn_resnet50_fpn: region proposals 256*256*9+256 + 15*257, box head
// 256*49*1024+1024 + 1024*1025, predictor 5*91*1025. Proposals look at 72,471 places.
TEST(NetworkSizes, FasterRcnnHead) {
  expect_size("fasterrcnn_head", {},
              {593935 + 13895680 + 466375, 72471LL * (256 * 2304 + 256 * 15) +
                                               1000LL * (12544 * 1024 + 1024 * 1024 + 1024 * 455)});
}

// facebookresearch/dlrm's Criteo Kaggle setting: about 540M parameters (33,762,577 rows of 16).
TEST(NetworkSizes, DlrmSmall) {
  expect_size("dlrm_small", {}, {33762577LL * 16 + 475985, 62212096});
}

// Micikevicius et al. 2018: 115M parameters.
TEST(NetworkSizes, DeepSpeech2) {
  const double millions = static_cast<double>(shipped("deepspeech2").graph.parameter_count()) / 1e6;
  EXPECT_NEAR(millions, 115.0, 0.5);
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
