// SPDX-License-Identifier: Apache-2.0
// Fourier transforms, windows, mel weights, Einsum, GridSample, Det and n-gram counts against their
// definitions written with the standard library.
#include <gmock/gmock.h>

#include <cmath>
#include <complex>

#include "ops_support.h"

namespace npusim::workloads {
namespace {

using testing::error_of;
using testing::expect_near;
using ::testing::HasSubstr;
using testing::integers_tensor;
using testing::ints;
using testing::one;
using testing::random_tensor;
using testing::run_op;
using testing::typed_tensor;

const double kTurn = 2.0 * std::acos(-1.0);

Tensor scalar(double value, ElementType type = ElementType::int64) {
  return typed_tensor({}, type, {value});
}

std::vector<std::complex<double>> naive_dft(const std::vector<std::complex<double>>& x,
                                            double sign) {
  std::vector<std::complex<double>> y;
  for (std::size_t k = 0; k < x.size(); ++k) {
    std::complex<double> sum = 0.0;
    for (std::size_t n = 0; n < x.size(); ++n)
      sum += x[n] * std::polar(1.0, sign * kTurn * static_cast<double>(k * n) /
                                        static_cast<double>(x.size()));
    y.push_back(sum);
  }
  return y;
}

TEST(Dft, EqualsItsDefinitionAndItsInverseUndoesIt) {
  const Tensor x = random_tensor({2, 7, 3, 2}, 1);
  const Tensor y = run_op("DFT", {x});
  ASSERT_EQ(y.shape, x.shape);
  for (std::size_t batch = 0; batch < 2; ++batch)
    for (std::size_t column = 0; column < 3; ++column) {
      const auto at = [&](std::size_t n) { return ((batch * 7 + n) * 3 + column) * 2; };
      std::vector<std::complex<double>> line;
      for (std::size_t n = 0; n < 7; ++n) line.emplace_back(x.values[at(n)], x.values[at(n) + 1]);
      const auto expected = naive_dft(line, -1.0);
      for (std::size_t k = 0; k < 7; ++k) {
        EXPECT_NEAR(y.values[at(k)], expected[k].real(), 1e-12);
        EXPECT_NEAR(y.values[at(k) + 1], expected[k].imag(), 1e-12);
      }
    }
  expect_near(run_op("DFT", {y}, {{"inverse", one(1)}}), x.shape, x.values);
}

TEST(Dft, PadsCutsAndHalves) {
  const Tensor x = random_tensor({1, 5, 1}, 2);
  std::vector<std::complex<double>> padded(8, 0.0);
  for (std::size_t n = 0; n < 5; ++n) padded[n] = x.values[n];
  std::vector<double> expected;
  for (std::size_t k = 0; k < 5; ++k) {
    expected.push_back(naive_dft(padded, -1.0)[k].real());
    expected.push_back(naive_dft(padded, -1.0)[k].imag());
  }
  expect_near(run_op("DFT", {x, scalar(8)}, {{"onesided", one(1)}}), {1, 5, 2}, expected);
  const Tensor cut = run_op("DFT", {x, scalar(1)});
  expect_near(cut, {1, 1, 2}, {x.values[0], 0.0});
  EXPECT_THAT(error_of("DFT", {{2, 3}}), HasSubstr("rank 3"));
}

TEST(Stft, TransformsWindowedFrames) {
  const Tensor x = random_tensor({2, 10, 1}, 3);
  const Tensor window = random_tensor({4}, 4);
  std::vector<double> expected;
  for (std::size_t batch = 0; batch < 2; ++batch)
    for (std::size_t start = 0; start + 4 <= 10; start += 3) {
      std::vector<std::complex<double>> frame;
      for (std::size_t n = 0; n < 4; ++n)
        frame.emplace_back(x.values[batch * 10 + start + n] * window.values[n]);
      for (std::size_t k = 0; k < 3; ++k) {
        expected.push_back(naive_dft(frame, -1.0)[k].real());
        expected.push_back(naive_dft(frame, -1.0)[k].imag());
      }
    }
  expect_near(run_op("STFT", {x, scalar(3), window}), {2, 3, 3, 2}, expected);
}

TEST(Windows, AreSumsOfCosines) {
  const auto window = [](double a0, double a1, double a2, double period) {
    std::vector<double> w;
    for (int n = 0; n < 6; ++n)
      w.push_back(a0 - a1 * std::cos(kTurn * n / period) + a2 * std::cos(2 * kTurn * n / period));
    return w;
  };
  const Tensor six = scalar(6);
  expect_near(run_op("HannWindow", {six}), {6}, window(0.5, 0.5, 0, 6));
  expect_near(run_op("HannWindow", {six}, {{"periodic", one(0)}}), {6}, window(0.5, 0.5, 0, 5));
  expect_near(run_op("HammingWindow", {six}), {6}, window(25.0 / 46, 21.0 / 46, 0, 6));
  expect_near(run_op("BlackmanWindow", {six}), {6}, window(0.42, 0.5, 0.08, 6));
}

// Worked by hand: 8 kHz, 16 points, two triangles over 0 to 4 kHz have their edges at the bins 0,
// 1, 3 and 5 (mel 2146 in steps of 536.5: 0, 427, 1114, 2221 Hz times 17 / 8000).
TEST(MelWeightMatrix, HasTrianglesBetweenItsEdges) {
  const Tensor y = run_op("MelWeightMatrix",
                          {scalar(2), scalar(16), scalar(8000), scalar(0, ElementType::floating),
                           scalar(4000, ElementType::floating)});
  std::vector<double> expected(18, 0.0);
  const auto set = [&](std::size_t bin, std::size_t mel, double w) { expected[bin * 2 + mel] = w; };
  const double mels = 2595 * std::log10(1 + 4000.0 / 700);
  int edges[4];
  for (int i = 0; i < 4; ++i)
    edges[i] = static_cast<int>(700 * (std::pow(10, mels / 4 * i / 2595) - 1) * 17 / 8000);
  EXPECT_THAT(edges, ::testing::ElementsAre(0, 0, 2, 4));
  set(0, 0, 1.0);  // no rise: the centre alone
  set(1, 0, 0.5);
  set(0, 1, 0.0);
  set(1, 1, 0.5);
  set(2, 1, 1.0);
  set(3, 1, 0.5);
  expect_near(y, {9, 2}, expected);
}

TEST(Einsum, SumsOverTheDimensionsThatTheResultLacks) {
  const Tensor a = random_tensor({2, 3, 4}, 5);
  const Tensor b = random_tensor({2, 4, 5}, 6);
  std::vector<double> expected;
  for (std::size_t n = 0; n < 2; ++n)
    for (std::size_t i = 0; i < 3; ++i)
      for (std::size_t j = 0; j < 5; ++j) {
        double sum = 0.0;
        for (std::size_t k = 0; k < 4; ++k)
          sum += a.values[(n * 3 + i) * 4 + k] * b.values[(n * 4 + k) * 5 + j];
        expected.push_back(sum);
      }
  for (const char* equation : {"bij,bjk->bik", "...ij, ...jk -> ...ik", "...ij,...jk"})
    expect_near(run_op("Einsum", {a, b}, {{"equation", std::string(equation)}}), {2, 3, 5},
                expected);
}

TEST(Einsum, TakesDiagonalsTransposesAndScalars) {
  const Tensor x = random_tensor({3, 3}, 7);
  const std::vector<double>& v = x.values;
  const auto einsum = [&](const char* equation) {
    return run_op("Einsum", {x}, {{"equation", std::string(equation)}});
  };
  expect_near(einsum("ii->i"), {3}, {v[0], v[4], v[8]});
  expect_near(einsum("ii"), {}, {v[0] + v[4] + v[8]});
  expect_near(einsum("ba"), {3, 3}, {v[0], v[3], v[6], v[1], v[4], v[7], v[2], v[5], v[8]});
  expect_near(einsum("ij->i"), {3}, {v[0] + v[1] + v[2], v[3] + v[4] + v[5], v[6] + v[7] + v[8]});
  for (const auto& [equation, why] :
       {std::pair("ijk->i", "does not name"), std::pair("ij->k", "no input has"),
        std::pair("i1", "names no dimension"), std::pair("ij,jk->ik", "more terms")})
    EXPECT_THAT(error_of("Einsum", {{3, 3}}, {{"equation", std::string(equation)}}),
                HasSubstr(why));
}

/// Positions of the pixel centres of a 3x4 image, so that every mode gives the image back.
TEST(GridSample, GivesPixelsBackAtTheirCentres) {
  const Tensor x = random_tensor({1, 2, 3, 4}, 8);
  for (const std::int64_t corners : {0, 1}) {
    Tensor grid({1, 3, 4, 2});
    for (std::size_t r = 0; r < 3; ++r)
      for (std::size_t c = 0; c < 4; ++c) {
        const auto at = [&](double i, double n) {
          return corners != 0 ? 2 * i / (n - 1) - 1 : (2 * i + 1) / n - 1;
        };
        grid.values[(r * 4 + c) * 2] = at(static_cast<double>(c), 4);
        grid.values[(r * 4 + c) * 2 + 1] = at(static_cast<double>(r), 3);
      }
    for (const std::string mode : {"bilinear", "nearest", "bicubic"})
      for (const std::string padding : {"zeros", "border", "reflection"})
        expect_near(
            run_op("GridSample", {x, grid},
                   {{"align_corners", one(corners)}, {"mode", mode}, {"padding_mode", padding}}),
            x.shape, x.values);
  }
}

TEST(GridSample, InterpolatesAndPads) {
  Tensor x({1, 1, 1, 3});
  x.values = {1, 2, 4};
  const auto sample = [&](double position, const std::string& mode, const std::string& padding) {
    Tensor grid({1, 1, 1, 2});
    grid.values = {(2 * position + 1) / 3 - 1, 0.0};
    return run_op("GridSample", {x, grid}, {{"mode", mode}, {"padding_mode", padding}}).values[0];
  };
  EXPECT_NEAR(sample(1.25, "bilinear", "zeros"), 2.5, 1e-12);
  EXPECT_NEAR(sample(2.25, "bilinear", "zeros"), 3.0, 1e-12);
  EXPECT_NEAR(sample(2.25, "bilinear", "border"), 4.0, 1e-12);
  EXPECT_NEAR(sample(3.0, "bilinear", "reflection"), 4.0, 1e-12);
  EXPECT_NEAR(sample(3.5, "bilinear", "reflection"), 3.0, 1e-12);
  EXPECT_EQ(sample(1.4, "nearest", "zeros"), 2.0);
  EXPECT_EQ(sample(7.0, "nearest", "zeros"), 0.0);
  // Cubic with a = -0.75 at 0.5: weights -0.09375, 0.59375, 0.59375, -0.09375 on 1, 1, 2, 4.
  EXPECT_NEAR(sample(0.5, "bicubic", "border"), 0.59375 * 3 - 0.09375 * 5, 1e-12);
}

TEST(Det, EqualsTheSumOverPermutations) {
  const Tensor x = random_tensor({4, 3, 3}, 9);
  std::vector<double> expected;
  for (std::size_t m = 0; m < 4; ++m) {
    const double* a = x.values.data() + 9 * m;
    expected.push_back(a[0] * (a[4] * a[8] - a[5] * a[7]) - a[1] * (a[3] * a[8] - a[5] * a[6]) +
                       a[2] * (a[3] * a[7] - a[4] * a[6]));
  }
  expect_near(run_op("Det", {x}), {4}, expected);
  Tensor singular({2, 2});
  singular.values = {0, 1, 0, 2};
  expect_near(run_op("Det", {singular}), {}, {0.0});
  EXPECT_THAT(error_of("Det", {{2, 3}}), HasSubstr("square"));
}

TEST(TfIdfVectorizer, CountsNGramsWithGaps) {
  const Tensor x = typed_tensor({2, 4}, ElementType::int64, {5, 7, 5, 7, 7, 5, 7, 7});
  Attributes attributes = {{"max_gram_length", one(2)},
                           {"min_gram_length", one(1)},
                           {"max_skip_count", one(0)},
                           {"mode", std::string("TF")},
                           {"ngram_counts", ints({0, 2})},
                           {"ngram_indexes", ints({2, 0, 1, 3})},
                           {"pool_int64s", ints({5, 7, 5, 7, 7, 7})}};
  // 5 at place 2, 7 at place 0, "5 7" at place 1, "7 7" at place 3.
  expect_near(run_op("TfIdfVectorizer", {x}, attributes), {2, 4}, {2, 2, 2, 0, 3, 1, 1, 1});
  attributes["max_skip_count"] = one(1);  // and pairs one apart: 5.5 7.7 | 7.7 5.7
  expect_near(run_op("TfIdfVectorizer", {x}, attributes), {2, 4}, {2, 2, 2, 1, 3, 2, 1, 2});
  attributes["mode"] = std::string("TFIDF");
  attributes["weights"] = std::vector<double>{2, 3, 4, 5};
  expect_near(run_op("TfIdfVectorizer", {x}, attributes), {2, 4}, {6, 8, 4, 5, 9, 8, 2, 10});
  attributes["mode"] = std::string("IDF");
  expect_near(run_op("TfIdfVectorizer", {x}, attributes), {2, 4}, {3, 4, 2, 5, 3, 4, 2, 5});
}

}  // namespace
}  // namespace npusim::workloads
