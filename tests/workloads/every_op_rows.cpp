// SPDX-License-Identifier: Apache-2.0
#include "every_op_rows.h"

#include <algorithm>
#include <numeric>

namespace npusim::workloads::testing {
namespace {

using Inputs = std::vector<Tensor>;

Tensor known(const std::vector<std::int64_t>& values) {
  return integers_tensor(values);
}
Tensor scalar(double value) {
  return typed_tensor({}, ElementType::floating, {value});
}
Tensor booleans(Draw& d, const Shape& shape) {
  Tensor tensor = d.indices(shape, 2);
  tensor.type = ElementType::boolean;
  return tensor;
}

/// Element-wise functions of one operand in [low, high].
void add_unary(std::vector<Row>& rows) {
  const auto add = [&](const char* op, double low, double high, double ulps,
                       Attributes attributes = {}) {
    rows.push_back({op,
                    [low, high](Draw& d) -> Inputs {
                      return {d.between({d.a, d.b, d.c}, low, high)};
                    },
                    ulps, std::move(attributes)});
  };
  for (const char* op : {"Exp",  "Erf",   "Sin",         "Cos",       "Atan",     "Sinh", "Cosh",
                         "Tanh", "Asinh", "Sigmoid",     "Softplus",  "Softsign", "Elu",  "Selu",
                         "Celu", "Gelu",  "HardSigmoid", "HardSwish", "Mish",     "Swish"})
    add(op, 0.1, 2.0, 1.0);
  for (const char* op : {"Asin", "Acos", "Atanh", "Tan"}) add(op, -0.9, 0.9, 1.0);
  for (const char* op : {"Log", "Sqrt", "Reciprocal"}) add(op, 0.5, 4.0, 1.0);
  add("Acosh", 1.5, 4.0, 1.0);
  for (const char* op :
       {"Abs", "Neg", "Relu", "LeakyRelu", "ThresholdedRelu", "Shrink", "Identity"})
    add(op, 1.1, 3.0, 1.0);
  for (const char* op : {"Floor", "Ceil", "Round", "Sign"}) add(op, 1.1, 1.4, 0.0);
  rows.push_back({"Clip",
                  [](Draw& d) -> Inputs {
                    return {d.apart({d.a, d.b}), scalar(-0.3125), scalar(0.375)};
                  },
                  0.0,
                  {},
                  1,
                  1});
  rows.push_back({"Dropout", [](Draw& d) -> Inputs { return {d.floats({d.a, d.b})}; }, 1.0});
  rows.push_back({"Scale",
                  [](Draw& d) -> Inputs {
                    return {d.floats({d.a, d.b})};
                  },
                  1.0,
                  {{"factor", 0.75}}});
  rows.push_back(
      {"Cast", [](Draw& d) -> Inputs { return {d.floats({d.a})}; }, 1.0, {{"to", one(1)}}});
  rows.push_back({"CastLike",
                  [](Draw& d) -> Inputs {
                    return {d.floats({d.a}), d.floats({1})};
                  },
                  1.0,
                  {},
                  1,
                  1});
}

void add_binary(std::vector<Row>& rows) {
  const auto broadcast = [](Draw& d) -> Inputs {
    return {d.positive({d.a, d.b, d.c}), d.positive({d.b, 1})};
  };
  for (const char* op : {"Add", "Sub", "Mul", "Div"}) rows.push_back({op, broadcast, 1.0});
  rows.push_back({"Pow", broadcast, 1.0});
  rows.push_back({"Mod",
                  [](Draw& d) -> Inputs {
                    return {d.between({d.a}, 5.1, 5.9), scalar(2.0)};
                  },
                  1.0,
                  {{"fmod", one(1)}},
                  1,
                  0});
  rows.push_back({"PRelu",
                  [](Draw& d) -> Inputs {
                    return {d.apart({d.a, d.b}), d.floats({d.b})};
                  },
                  1.0});
  for (const char* op : {"Max", "Min", "Sum", "Mean"})
    rows.push_back({op,
                    [](Draw& d) -> Inputs {
                      const Tensor x = d.apart({3, d.a, d.b});
                      Inputs parts(3, Tensor({d.a, d.b}));
                      for (std::size_t i = 0; i < x.values.size(); ++i)
                        parts[i % 3].values[i / 3] = x.values[i];
                      return parts;
                    },
                    4.0});
  rows.push_back({"Where",
                  [](Draw& d) -> Inputs {
                    return {booleans(d, {d.a, d.b}), d.floats({d.a, d.b}), d.floats({d.b})};
                  },
                  0.0});
}

/// Sums of up to 64 terms: their rounding errors add up to few units of the largest result, but
/// the largest result may itself be what cancellation left.
constexpr double kShortSum = 256.0;

void add_products(std::vector<Row>& rows) {
  rows.push_back({"MatMul",
                  [](Draw& d) -> Inputs {
                    return {d.positive({d.a, 2, d.b}), d.positive({d.b, d.c})};
                  },
                  8.0});
  rows.push_back({"BlockScaledMatMul",
                  [](Draw& d) -> Inputs {
                    return {d.positive({5, 3}), d.positive({d.a, 5}), d.positive({3, 3}),
                            d.positive({d.a, 3})};
                  },
                  12.0,
                  {{"tile_a", ints({2, 1})},
                   {"tile_b", ints({1, 2})},
                   {"transA", one(1)},
                   {"transB", one(1)}}});
  rows.push_back({"Gemm",
                  [](Draw& d) -> Inputs {
                    return {d.positive({d.b, d.a}), d.positive({d.c, d.b}), d.positive({d.c})};
                  },
                  8.0,
                  {{"transA", one(1)}, {"transB", one(1)}}});
  rows.push_back({"Einsum",
                  [](Draw& d) -> Inputs {
                    return {d.positive({d.a, d.b}), d.positive({d.b, d.c})};
                  },
                  8.0,
                  {{"equation", std::string("ij,jk->ik")}}});
  rows.push_back({"Conv",
                  [](Draw& d) -> Inputs {
                    return {d.positive({d.a, 2 * d.b, 5, 4}), d.positive({2 * d.c, d.b, 3, 2}),
                            d.positive({2 * d.c})};
                  },
                  16.0,
                  {{"group", one(2)}, {"pads", ints({1, 0, 1, 1})}, {"strides", ints({2, 1})}}});
  rows.push_back(
      {"ConvTranspose",
       [](Draw& d) -> Inputs {
         return {d.positive({d.a, d.b, 3, 2}), d.positive({d.b, d.c, 3, 2}), d.positive({d.c})};
       },
       16.0,
       {{"strides", ints({2, 1})}}});
  rows.push_back(
      {"ConvTransposePhase",
       [](Draw& d) -> Inputs {
         return {d.positive({d.a, d.b, 3, 2}), d.positive({d.b, d.c, 3, 2}), d.positive({d.c})};
       },
       16.0,
       {{"image", ints({4, 3})},
        {"pads", ints({1, 0})},
        {"dilations", ints({1, 1})},
        {"first_taps", ints({0, 0})},
        {"tap_steps", ints({2, 1})}}});
  rows.push_back({"PhaseFill",
                  [](Draw& d) -> Inputs { return {d.floats({2})}; },
                  0.0,
                  {{"shape", ints({2, 2, 3})}}});
  rows.push_back({"ChannelOrder",
                  [](Draw& d) -> Inputs {
                    return {d.floats({d.a, d.b, d.c})};
                  },
                  0.0,
                  {{"order", std::string("nhwc")}, {"written", one(1)}}});
  rows.push_back({"JoinPhases",
                  [](Draw& d) -> Inputs {
                    return {d.floats({1, 1, 3}), d.floats({1, 1, 2})};
                  },
                  0.0,
                  {{"shape", ints({1, 1, 5})}, {"strides", ints({2})}}});
  rows.push_back({"Attention",
                  [](Draw& d) -> Inputs {
                    return {d.floats({d.a, 2, d.b, 4}), d.floats({d.a, 2, d.c, 4}),
                            d.floats({d.a, 2, d.c, 4})};
                  },
                  kShortSum});
  // With one key the gradients of queries and keys are what cancellation leaves of zero.
  rows.push_back({"AttentionWithStatistics",
                  [](Draw& d) -> Inputs {
                    return {d.floats({d.a, 2, d.b, 4}), d.floats({d.a, 1, 1 + d.c, 4}),
                            d.floats({d.a, 1, 1 + d.c, 3})};
                  },
                  kShortSum,
                  {},
                  2});
  rows.push_back({"AttentionGradient",
                  [](Draw& d) -> Inputs {
                    const Tensor none({0});
                    return {d.floats({d.a, 2, d.b, 4}),
                            d.floats({d.a, 1, d.c, 4}),
                            d.floats({d.a, 1, d.c, 3}),
                            none,
                            none,
                            none,
                            d.floats({d.a, 2, d.b, 3}),
                            d.positive({d.a, 2, d.b}),
                            d.floats({d.a, 2, d.b, 3})};
                  },
                  kShortSum,
                  {},
                  3});
  rows.push_back({"Det", [](Draw& d) -> Inputs { return {d.positive({d.a, 2, 2})}; }, kShortSum});
}

void add_reductions(std::vector<Row>& rows) {
  for (const char* op : {"ReduceSum", "ReduceMean", "ReduceL1", "ReduceL2", "ReduceLogSum",
                         "ReduceLogSumExp", "ReduceProd", "ReduceSumSquare"})
    rows.push_back({op,
                    [](Draw& d) -> Inputs {
                      return {d.positive({d.a, d.b, d.c}), known({1})};
                    },
                    8.0});
  for (const char* op : {"ReduceMax", "ReduceMin"})
    rows.push_back({op,
                    [](Draw& d) -> Inputs {
                      return {d.apart({d.a, d.b, d.c}), known({1})};
                    },
                    0.0});
  rows.push_back({"CumSum",
                  [](Draw& d) -> Inputs {
                    return {d.positive({d.a, d.b}), known({1})};
                  },
                  4.0});
  rows.push_back({"TopK",
                  [](Draw& d) -> Inputs {
                    return {d.apart({d.a, 4}), known({2})};
                  },
                  0.0,
                  {},
                  2});
  rows.push_back({"GlobalAveragePool",
                  [](Draw& d) -> Inputs {
                    return {d.positive({d.a, d.b, 3, d.c})};
                  },
                  8.0});
  rows.push_back({"GlobalMaxPool",
                  [](Draw& d) -> Inputs {
                    return {d.apart({d.a, d.b, 3, d.c})};
                  },
                  0.0});
  rows.push_back({"GlobalLpPool",
                  [](Draw& d) -> Inputs {
                    return {d.positive({d.a, d.b, 3, d.c})};
                  },
                  8.0});
  rows.push_back({"AveragePool",
                  [](Draw& d) -> Inputs {
                    return {d.positive({d.a, d.b, 4, 4})};
                  },
                  8.0,
                  {{"kernel_shape", ints({2, 3})}}});
  rows.push_back({"MaxPool",
                  [](Draw& d) -> Inputs {
                    return {d.apart({d.a, d.b, 4, 4})};
                  },
                  0.0,
                  {{"kernel_shape", ints({2, 3})}}});
  rows.push_back({"LpPool",
                  [](Draw& d) -> Inputs {
                    return {d.positive({d.a, d.b, 4, 4})};
                  },
                  8.0,
                  {{"kernel_shape", ints({2, 3})}}});
}

void add_norms(std::vector<Row>& rows) {
  const auto by_channel = [](Draw& d) -> Inputs {
    return {d.floats({2, 4, 3, 1 + d.a}), d.positive({4}), d.floats({4})};
  };
  rows.push_back({"LayerNormalization",
                  [](Draw& d) -> Inputs {
                    return {d.floats({d.a, d.b, 6}), d.positive({6}), d.floats({6})};
                  },
                  16.0});
  rows.push_back({"RMSNormalization",
                  [](Draw& d) -> Inputs {
                    return {d.floats({d.a, d.b, 6}), d.positive({6})};
                  },
                  16.0});
  rows.push_back({"GroupNormalization", by_channel, 16.0, {{"num_groups", one(2)}}});
  rows.push_back({"InstanceNormalization", by_channel, 16.0});
  rows.push_back({"MeanVarianceNormalization",
                  [](Draw& d) -> Inputs {
                    return {d.floats({2, d.b, 3, 3})};
                  },
                  16.0});
  rows.push_back({"BatchNormalization",
                  [](Draw& d) -> Inputs {
                    return {d.floats({2, 3, 4, d.a}), d.positive({3}), d.floats({3}), d.floats({3}),
                            d.positive({3})};
                  },
                  16.0,
                  {{"training_mode", one(1)}},
                  3,
                  3});
  rows.push_back({"LRN",
                  [](Draw& d) -> Inputs {
                    return {d.positive({d.a, 4, d.b, 2})};
                  },
                  8.0,
                  {{"size", one(3)}}});
  rows.push_back({"LpNormalization",
                  [](Draw& d) -> Inputs {
                    return {d.positive({d.a, d.b})};
                  },
                  8.0});
  for (const char* op : {"Softmax", "LogSoftmax"})
    rows.push_back({op, [](Draw& d) -> Inputs { return {d.floats({d.a, 1 + d.b})}; }, 8.0});
  rows.push_back({"Hardmax", [](Draw& d) -> Inputs { return {d.apart({d.a, d.b})}; }, 0.0});
}

/// What moves elements changes none.
void add_movement(std::vector<Row>& rows) {
  const auto add = [&](const char* op, std::function<Inputs(Draw&)> inputs,
                       Attributes attributes = {}, int outputs = 1) {
    rows.push_back({op, std::move(inputs), 0.0, std::move(attributes), outputs});
  };
  const auto cube = [](Draw& d) -> Inputs { return {d.floats({d.a, d.b, d.c})}; };
  add("Transpose", cube, {{"perm", ints({2, 0, 1})}});
  add("Flatten", cube);
  add("Trilu", [](Draw& d) -> Inputs { return {d.floats({d.a, d.b})}; });
  rows.push_back({"AllReduce",
                  [](Draw& d) -> Inputs {
                    return {d.floats({d.a, d.b}), d.floats({d.a, d.b}), d.floats({d.a, d.b})};
                  },
                  4.0,
                  {{"devices", one(3)}}});
  add("ToParts",
      [](Draw& d) -> Inputs {
        return {d.floats({d.a, 2 * d.b})};
      },
      {{"axis", one(1)}, {"groups", one(2)}});
  add("ToDevices", [](Draw& d) -> Inputs { return {d.floats({d.a, d.b})}; });
  add("Concat",
      [](Draw& d) -> Inputs {
        return {d.floats({d.a, d.b}), d.floats({d.a, d.c})};
      },
      {{"axis", one(1)}});
  add(
      "Split",
      [](Draw& d) -> Inputs {
        return {d.floats({d.a, 2 * d.b})};
      },
      {{"axis", one(1)}, {"num_outputs", one(2)}}, 2);
  add("Slice", [](Draw& d) -> Inputs {
    return {d.floats({d.a, 4}), known({1}), known({3}), known({1})};
  });
  add("Reshape", [](Draw& d) -> Inputs { return {d.floats({d.a, d.b}), known({d.b, d.a})}; });
  add("Squeeze", [](Draw& d) -> Inputs { return {d.floats({d.a, 1, d.b}), known({1})}; });
  add("Unsqueeze", [](Draw& d) -> Inputs { return {d.floats({d.a, d.b}), known({1})}; });
  add("Expand", [](Draw& d) -> Inputs { return {d.floats({1, d.b}), known({d.a, d.b})}; });
  add("Tile", [](Draw& d) -> Inputs { return {d.floats({d.a, d.b}), known({2, 1})}; });
  add("Pad", [](Draw& d) -> Inputs { return {d.floats({d.a, d.b}), known({1, 0, 0, 2})}; });
  add("DepthToSpace",
      [](Draw& d) -> Inputs {
        return {d.floats({d.a, 4, d.b, d.c})};
      },
      {{"blocksize", one(2)}});
  add("SpaceToDepth",
      [](Draw& d) -> Inputs {
        return {d.floats({d.a, d.b, 2, 4})};
      },
      {{"blocksize", one(2)}});
  add("Gather", [](Draw& d) -> Inputs { return {d.floats({d.a, d.b}), d.indices({3}, d.a)}; });
  add("GatherElements", [](Draw& d) -> Inputs {
    return {d.floats({d.a, d.b}), d.indices({2, d.b}, d.a)};
  });
  add("GatherND", [](Draw& d) -> Inputs { return {d.floats({d.a, d.b}), d.indices({3, 1}, d.a)}; });
  add("ReverseSequence", [](Draw& d) -> Inputs {
    Tensor lengths = d.indices({d.b}, d.a);
    for (double& length : lengths.values) ++length;
    return {d.floats({d.a, d.b}), lengths};
  });
  add("Compress",
      [](Draw& d) -> Inputs {
        return {d.floats({3, d.b}), typed_tensor({3}, ElementType::boolean, {1, 0, 1})};
      },
      {{"axis", one(0)}});
}

Tensor omitted() {
  return typed_tensor({0}, ElementType::floating, {});
}
Tensor whole(std::int64_t value) {
  return typed_tensor({}, ElementType::int64, {static_cast<double>(value)});
}

/// Values written into others.
void add_scatters(std::vector<Row>& rows) {
  const auto by_element = [](Draw& d) -> Inputs {
    return {d.floats({3, d.b}), d.indices({1, d.b}, 3), d.floats({1, d.b})};
  };
  rows.push_back({"Scatter", by_element, 0.0});
  rows.push_back({"ScatterElements", by_element, 0.0});
  rows.push_back({"ScatterND",
                  [](Draw& d) -> Inputs {
                    return {d.floats({4, d.b}), typed_tensor({2, 1}, ElementType::int64, {3, 1}),
                            d.floats({2, d.b})};
                  },
                  0.0});
  rows.push_back({"TensorScatter",
                  [](Draw& d) -> Inputs {
                    return {d.floats({d.a, 4, d.b}), d.floats({d.a, 2, d.b})};
                  },
                  0.0});
  rows.push_back(
      {"MaxUnpool",
       [](Draw& d) -> Inputs {
         return {d.floats({1, 1, 1, 2}), typed_tensor({1, 1, 1, 2}, ElementType::int64, {5, 3})};
       },
       0.0,
       {{"kernel_shape", ints({2, 2})}, {"strides", ints({2, 2})}}});
  rows.push_back({"Unique", [](Draw& d) -> Inputs { return {d.apart({d.a, d.b})}; }, 0.0});
  rows.push_back({"ReshapeTo",
                  [](Draw& d) -> Inputs {
                    return {d.floats({3, 4})};
                  },
                  0.0,
                  {{"shape", ints({2, 6})}}});
  rows.push_back({"ReduceToShape",
                  [](Draw& d) -> Inputs {
                    return {d.positive({d.a, 3, 4})};
                  },
                  32.0,
                  {{"shape", ints({3, 1})}}});
  rows.push_back({"ExpandToShape",
                  [](Draw& d) -> Inputs { return {d.floats({3})}; },
                  1.0,
                  {{"kept", ints({3, 1})}, {"shape", ints({3, 5})}, {"divisor", 5.0}}});
}

void add_optimizers(std::vector<Row>& rows) {
  const auto states = [](int count) {
    return [count](Draw& d) -> Inputs {
      Inputs inputs = {scalar(0.125), whole(3)};
      for (int i = 0; i < 2 + count; ++i) inputs.push_back(d.positive({4, 3}));
      return inputs;
    };
  };
  rows.push_back({"Momentum",
                  states(1),
                  4.0,
                  {{"alpha", 0.9},
                   {"beta", 0.1},
                   {"mode", std::string("standard")},
                   {"norm_coefficient", 0.01}},
                  2});
  rows.push_back({"Adam", states(2), 8.0, {{"epsilon", 1e-6}}, 3});
  rows.push_back({"Adagrad", states(1), 8.0, {}, 2});
  const Attributes moments = {
      {"alpha", 0.9}, {"beta", 0.9}, {"epsilon", 1e-6}, {"weight_decay", 0.01}};
  rows.push_back({"AdamW", states(2), 16.0, moments, 3});
  rows.push_back({"Lamb", states(2), 16.0, moments, 3});
  rows.push_back({"RmsProp", states(1), 16.0, {{"norm_coefficient", 0.01}}, 2});
  rows.push_back({"Lion", states(1), 8.0, {{"weight_decay", 0.01}}, 2});
  rows.push_back({"ClipFactor",
                  [](Draw& d) -> Inputs {
                    return {d.floats({4, 3}), d.floats({5})};
                  },
                  4.0,
                  {{"max_norm", 0.5}}});
  rows.push_back({"AmaxScale",
                  [](Draw& d) -> Inputs {
                    return {d.floats({4, 3})};
                  },
                  1.0,
                  {{"largest", 448.0}}});
  rows.push_back({"DelayedScale",
                  [](Draw& d) -> Inputs {
                    return {d.floats({4, 3}), d.positive({5}), d.positive({})};
                  },
                  1.0,
                  {{"largest", 448.0}},
                  2});
  rows.push_back({"QuantizeByScale",
                  [](Draw& d) -> Inputs {
                    return {d.floats({d.a, d.b}), d.positive({})};
                  },
                  1.0});
  rows.push_back({"QuantizeBlocks",
                  [](Draw& d) -> Inputs {
                    return {d.floats({2, d.a, d.b})};
                  },
                  1.0,
                  {{"format", std::string("fp8_e4m3_block2")},
                   {"scale_rounding", std::string("rne")},
                   {"tile", ints({2, 2})}},
                  2});
  rows.push_back({"Sgd",
                  [](Draw& d) -> Inputs {
                    return {d.floats({d.a}), d.floats({d.a})};
                  },
                  4.0,
                  {{"weight_decay", 0.01}}});
}

void add_sequences(std::vector<Row>& rows) {
  const auto gates = [](std::int64_t count) {
    return [count](Draw& d) -> Inputs {
      return {d.floats({d.a, d.b, 3}), d.floats({1, count * 2, 3}), d.floats({1, count * 2, 2})};
    };
  };
  rows.push_back({"RNN", gates(1), 32.0, {{"hidden_size", one(2)}}});
  rows.push_back({"GRU", gates(3), 32.0, {{"hidden_size", one(2)}}});
  rows.push_back({"LSTM", gates(4), 32.0, {{"hidden_size", one(2)}}});
  for (const char* op : {"BlackmanWindow", "HammingWindow", "HannWindow"})
    rows.push_back({op, [](Draw& d) -> Inputs { return {whole(4 + d.a)}; }, 4.0});
  rows.push_back({"MelWeightMatrix",
                  [](Draw&) -> Inputs {
                    return {whole(8), whole(16), whole(8000), scalar(0.0), scalar(4000.0)};
                  },
                  4.0,
                  {},
                  1,
                  0});
  rows.push_back({"DFT", [](Draw& d) -> Inputs { return {d.positive({d.a, 3 + d.b, 1})}; }, 32.0});
  rows.push_back({"STFT",
                  [](Draw& d) -> Inputs {
                    return {d.positive({d.a, 12, 1}), whole(2), d.positive({6}), whole(6)};
                  },
                  32.0});
}

/// Interpolation and positions.
void add_sampling(std::vector<Row>& rows) {
  rows.push_back(
      {"RotaryEmbedding",
       [](Draw& d) -> Inputs {
         return {d.floats({d.a, 2, d.b, 4}), d.floats({d.a, d.b, 2}), d.floats({d.a, d.b, 2})};
       },
       4.0,
       {},
       1,
       1});
  rows.push_back(
      {"Resize",
       [](Draw& d) -> Inputs {
         return {d.positive({1, d.a, 3, 2}), omitted(), omitted(), known({1, d.a, 5, 3})};
       },
       8.0,
       {{"mode", std::string("linear")}}});
  rows.push_back({"Upsample",
                  [](Draw& d) -> Inputs {
                    return {d.positive({1, d.a, 3, 2}),
                            typed_tensor({4}, ElementType::floating, {1, 1, 2, 2})};
                  },
                  8.0,
                  {{"mode", std::string("linear")}}});
  rows.push_back({"GridSample",
                  [](Draw& d) -> Inputs {
                    return {d.positive({1, d.a, 4, 4}), d.apart({1, 2, 3, 2})};
                  },
                  16.0});
  rows.push_back({"RoiAlign",
                  [](Draw& d) -> Inputs {
                    return {
                        d.positive({2, d.a, 6, 6}),
                        typed_tensor({2, 4}, ElementType::floating, {0.5, 0.5, 4, 5, 1, 1, 3, 3}),
                        typed_tensor({2}, ElementType::int64, {0, 1})};
                  },
                  16.0,
                  {{"output_height", one(2)}, {"output_width", one(2)}, {"sampling_ratio", one(2)}},
                  1,
                  1});
  rows.push_back({"DequantizeLinear",
                  [](Draw& d) -> Inputs {
                    Tensor codes = d.indices({d.a, d.b}, 100);
                    codes.type = ElementType::int8;
                    return {codes, scalar(0.125)};
                  },
                  1.0,
                  {},
                  1,
                  0});
}

void add_losses(std::vector<Row>& rows) {
  rows.push_back({"SoftmaxCrossEntropyLoss",
                  [](Draw& d) -> Inputs {
                    return {d.floats({1 + d.a, 3}), d.indices({1 + d.a}, 3)};
                  },
                  8.0});
  rows.push_back({"NegativeLogLikelihoodLoss",
                  [](Draw& d) -> Inputs {
                    return {d.positive({1 + d.a, 3}), d.indices({1 + d.a}, 3)};
                  },
                  16.0});
  // Logarithms near 16 in FP32: their differences are exact to some 2^-20.
  const auto sequences = [](Draw& d) -> Inputs {
    Tensor labels = d.indices({d.a, d.b}, 3);
    for (double& label : labels.values) ++label;
    return {d.between({d.a, 2 * d.b + d.c - 1, 4}, -3.0, -0.25), labels};
  };
  rows.push_back({"CtcLoss", sequences, 16.0});
  rows.push_back({"CtcLossGradient",
                  [sequences](Draw& d) -> Inputs {
                    const Inputs of_loss = sequences(d);
                    return {scalar(1.0), of_loss[0], of_loss[1]};
                  },
                  256.0});
}

}  // namespace

Tensor Draw::between(const Shape& shape, double low, double high) {
  Tensor tensor(shape);
  for (double& value : tensor.values) {
    const double share = static_cast<double>(random_() >> 11) * 0x1p-53;
    value = static_cast<double>(static_cast<float>(low + share * (high - low)));
  }
  return tensor;
}

Tensor Draw::apart(const Shape& shape) {
  Tensor tensor(shape);
  const auto half = static_cast<double>(tensor.values.size() / 2);
  for (std::size_t i = 0; i < tensor.values.size(); ++i)
    tensor.values[i] = (static_cast<double>(i) - half) / 16.0 + 1.0 / 32.0;
  std::shuffle(tensor.values.begin(), tensor.values.end(), random_);
  return tensor;
}

Tensor Draw::indices(const Shape& shape, std::int64_t below) {
  Tensor tensor(shape, ElementType::int64);
  for (double& value : tensor.values)
    value = static_cast<double>(random_() % static_cast<std::uint64_t>(below));
  return tensor;
}

const std::vector<Row>& rows() {
  static const std::vector<Row> kRows = [] {
    std::vector<Row> all;
    add_unary(all);
    add_binary(all);
    add_products(all);
    add_reductions(all);
    add_norms(all);
    add_movement(all);
    add_sampling(all);
    add_scatters(all);
    add_sequences(all);
    add_optimizers(all);
    add_losses(all);
    return all;
  }();
  return kRows;
}

const std::set<std::string>& without_floats() {
  static const std::set<std::string> kOps = {
      // Integers and booleans.
      "And", "ArgMax", "ArgMin", "BitShift", "BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor",
      "ConvInteger", "Equal", "GradientsFinite", "Greater", "GreaterOrEqual", "IsInf", "IsNaN",
      "Less", "LessOrEqual", "MatMulInteger", "NonMaxSuppression", "NonZero", "Not", "Or",
      "QLinearConv", "QLinearMatMul", "QuantizeLinear", "Shape", "Size", "Xor",
      "DynamicQuantizeLinear",
      // Constants.
      "CausalMask", "Constant", "ConstantOfShape", "EyeLike", "Filled", "OneHot", "Opaque", "Range",
      // Counts of n-grams.
      "TfIdfVectorizer",
      // Registered with their family; these two normalisations have no such operand.
      "MeanVarianceNormalizationBiasGradient", "MeanVarianceNormalizationScaleGradient",
      "RMSNormalizationBiasGradient"};
  return kOps;
}

}  // namespace npusim::workloads::testing
