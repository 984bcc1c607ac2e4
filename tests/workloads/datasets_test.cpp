// SPDX-License-Identifier: Apache-2.0
// Generators are seeded and differ by split; readers find each record and name the broken one.
#include "workloads/datasets/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "base/array_file.h"
#include "base/error.h"
#include "temp_file.h"

namespace npusim::workloads {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

DatasetRequest request(const std::string& source, Shape input, Shape label, std::int64_t classes,
                       std::int64_t samples = 100) {
  DatasetRequest r;
  r.source = source;
  r.sample = {std::move(input), std::move(label), classes, source == "boxes"};
  r.samples = samples;
  r.seed = 3;
  return r;
}

struct Sample {
  std::vector<double> input, label;
};

Sample sample(const DatasetRequest& r, std::int64_t index) {
  Sample s;
  s.input.resize(static_cast<std::size_t>(element_count(r.sample.input)));
  s.label.resize(static_cast<std::size_t>(element_count(r.sample.label)));
  make_dataset(r)->read(index, s.input.data(), s.label.data());
  return s;
}

std::string mistake(const DatasetRequest& r, std::int64_t index = 0) {
  try {
    sample(r, index);
  } catch (const base::InputError& error) {
    return error.what();
  }
  return "";
}

TEST(Datasets, SamplesThatAreKeptAreThoseThatWereDrawn) {
  const DatasetRequest r = request("digits", {1, 28, 28}, {}, 10, 20);
  const auto data = make_dataset(r);
  for (int epoch = 0; epoch < 2; ++epoch)
    for (const std::int64_t index : {7, 3, 7}) {
      Sample s;
      s.input.resize(28 * 28);
      s.label.resize(1);
      data->read(index, s.input.data(), s.label.data());
      EXPECT_EQ(s.input, sample(r, index).input);
      EXPECT_EQ(s.label, sample(r, index).label);
    }
}

TEST(Datasets, GeneratorsDependOnSeedSplitAndIndexOnly) {
  for (const char* source : {"digits", "boxes", "spirals", "markov"}) {
    DatasetRequest r = request(source, {1, 28, 28}, {}, 10);
    if (std::string(source) == "boxes") r.sample = {{1, 28, 28}, {5}, 4, true};
    if (std::string(source) == "spirals") r.sample.input = {2};
    if (std::string(source) == "markov") r.sample = {{32}, {32}, 20, false};
    const Sample first = sample(r, 5);
    EXPECT_EQ(sample(r, 5).input, first.input) << source;
    EXPECT_NE(sample(r, 6).input, first.input) << source;
    DatasetRequest other = r;
    other.split = Split::test;
    EXPECT_NE(sample(other, 5).input, first.input) << source;
    other = r;
    other.seed = 4;
    EXPECT_NE(sample(other, 5).input, first.input) << source;
    other = r;
    other.samples = 1000;
    EXPECT_EQ(sample(other, 5).input, first.input) << source;
  }
}

TEST(Datasets, DigitsAreCentredAndOfAllClasses) {
  const DatasetRequest r = request("digits", {3, 28, 28}, {}, 10);
  std::set<double> labels;
  double sum = 0.0, squares = 0.0;
  for (int i = 0; i < 100; ++i) {
    const Sample s = sample(r, i);
    labels.insert(s.label[0]);
    for (const double x : s.input) {
      sum += x;
      squares += x * x;
    }
    EXPECT_TRUE(std::equal(s.input.begin(), s.input.begin() + 784, s.input.begin() + 784));
  }
  EXPECT_EQ(labels.size(), 10u);
  const double count = 100.0 * 3 * 784;
  EXPECT_NEAR(sum / count, 0.0, 0.3);
  EXPECT_NEAR(squares / count, 1.0, 0.6);
}

/// Pixels of the object: nearer to its colour than to the ground's, which stands in the corners.
struct Extent {
  double left = 1e9, right = -1e9, top = 1e9, bottom = -1e9;
  std::int64_t pixels = 0;
};
Extent extent_of(const std::vector<double>& picture, std::int64_t size) {
  const auto at = [&](std::int64_t y, std::int64_t x) {
    return picture[static_cast<std::size_t>(y * size + x)];
  };
  // At least three corners are ground.
  std::vector<double> corners = {at(0, 0), at(0, size - 1), at(size - 1, 0),
                                 at(size - 1, size - 1)};
  std::sort(corners.begin(), corners.end());
  const double ground = 0.5 * (corners[1] + corners[2]);
  Extent e;
  for (std::int64_t y = 0; y < size; ++y)
    for (std::int64_t x = 0; x < size; ++x) {
      if (std::abs(at(y, x) - ground) < 0.45) continue;  // noise: 0.1 here, 0.1 there
      ++e.pixels;
      e.left = std::min(e.left, static_cast<double>(x));
      e.right = std::max(e.right, static_cast<double>(x) + 1.0);
      e.top = std::min(e.top, static_cast<double>(y));
      e.bottom = std::max(e.bottom, static_cast<double>(y) + 1.0);
    }
  return e;
}

// Boxes found again from the pixels; the share of a box that its object fills tells the classes
// apart: 1, pi/4, 1/2, 1 - 0.7^2.
TEST(Datasets, BoxesStandAroundTheirObjects) {
  constexpr std::int64_t kSize = 96;
  const DatasetRequest r = request("boxes", {1, kSize, kSize}, {5}, 4);
  const double fill[] = {1.0, 0.785, 0.5, 0.51};
  std::set<double> classes;
  for (int i = 0; i < 60; ++i) {
    const Sample s = sample(r, i);
    classes.insert(s.label[0]);
    const Extent e = extent_of(s.input, kSize);
    const double left = (s.label[1] - 0.5 * s.label[3]) * kSize;
    const double right = (s.label[1] + 0.5 * s.label[3]) * kSize;
    const double top = (s.label[2] - 0.5 * s.label[4]) * kSize;
    const double bottom = (s.label[2] + 0.5 * s.label[4]) * kSize;
    EXPECT_GE(std::min(left, top), -1e-9);
    EXPECT_LE(std::max(right, bottom), kSize + 1e-9);
    // A triangle's tip and an ellipse's sides thin out below a pixel.
    EXPECT_NEAR(e.left, left, 2.5) << i;
    EXPECT_NEAR(e.right, right, 2.5) << i;
    EXPECT_NEAR(e.top, top, s.label[0] == 2.0 ? 5.0 : 2.5) << i;
    EXPECT_NEAR(e.bottom, bottom, 2.5) << i;
    const double area = (right - left) * (bottom - top);
    EXPECT_NEAR(static_cast<double>(e.pixels) / area, fill[static_cast<int>(s.label[0])], 0.06)
        << i;
  }
  EXPECT_EQ(classes.size(), 4U);
}

TEST(Datasets, BoxesWantADetector) {
  DatasetRequest r = request("boxes", {1, 28, 28}, {}, 10);
  r.sample.boxed = false;
  EXPECT_THAT(mistake(r), HasSubstr("ClassAndBoxLoss"));
}

TEST(Datasets, FilesMayHaveBoxesToo) {
  const testing::TempFolder folder;
  base::write_npy(folder.path("x.npy"), {base::ElementKind::f32, {2, 1}, {1, 2}});
  const double kNone = std::nan("");
  base::write_npy(
      folder.path("y.npy"),
      {base::ElementKind::f64, {2, 5}, {3, 0.5, 0.5, 0.25, 0.25, 1, 0.5, 0.5, kNone, 0.25}});
  DatasetRequest r =
      request("npy:" + folder.path("x.npy") + "," + folder.path("y.npy"), {1}, {5}, 4, 0);
  r.sample.boxed = true;
  EXPECT_THAT(sample(r, 0).label, ElementsAre(3.0, 0.5, 0.5, 0.25, 0.25));
  EXPECT_THAT(mistake(r, 1), HasSubstr("record 1 has a box with nan"));
}

TEST(Datasets, MarkovTextFollowsItsGrammar) {
  const DatasetRequest r = request("markov", {500}, {500}, 12);
  const Sample s = sample(r, 0);
  for (std::size_t i = 0; i + 1 < 500; ++i) EXPECT_EQ(s.label[i], s.input[i + 1]);
  // At most four successors of a context: the last token, and the one before modulo 4.
  std::map<int, std::set<double>> successors;
  for (std::int64_t index = 0; index < 50; ++index) {
    const Sample t = sample(r, index);
    for (std::size_t i = 1; i < 500; ++i)
      successors[static_cast<int>(t.input[i]) * 4 + static_cast<int>(t.input[i - 1]) % 4].insert(
          t.label[i]);
  }
  for (const auto& [context, next] : successors) EXPECT_LE(next.size(), 4u) << context;
}

TEST(Datasets, AnEpochIsAPermutation) {
  std::vector<std::int64_t> a = shuffled(100, 1, 0), b = shuffled(100, 1, 1);
  EXPECT_NE(a, b);
  EXPECT_EQ(a, shuffled(100, 1, 0));
  std::sort(a.begin(), a.end());
  for (std::int64_t i = 0; i < 100; ++i) EXPECT_EQ(a[static_cast<std::size_t>(i)], i);
}

TEST(Datasets, IdxFilesAndTheirMistakes) {
  const testing::TempFolder folder;
  const std::string head("\x00\x00\x08\x03\x00\x00\x00\x03\x00\x00\x00\x01\x00\x00\x00\x02", 16);
  const std::string images = folder.write("i", head + std::string("\x00\xff\x33\x01\x02\x03", 6));
  const std::string label_head("\x00\x00\x08\x01\x00\x00\x00\x03", 8);
  const std::string labels = folder.write("l", label_head + std::string("\x04\x09\x0b", 3));
  const DatasetRequest r = request("idx:" + images + "," + labels, {1, 1, 2}, {}, 10, 0);
  EXPECT_EQ(make_dataset(r)->size(), 3);
  EXPECT_THAT(sample(r, 0).input, ElementsAre(0.0, 1.0));
  EXPECT_THAT(sample(r, 1).input, ElementsAre(0.2, 1.0 / 255.0));
  EXPECT_THAT(sample(r, 1).label, ElementsAre(9.0));
  EXPECT_THAT(mistake(r, 2), HasSubstr("record 2 has the label 11"));
  const std::string cut = folder.write("c", head + std::string("\x00\xff\x33", 3));
  EXPECT_THAT(mistake(request("idx:" + cut + "," + labels, {1, 1, 2}, {}, 10)),
              HasSubstr("record 1 is cut off"));
  EXPECT_THAT(mistake(request("idx:" + images, {2}, {}, 10)), HasSubstr("idx:IMAGES,LABELS"));
}

TEST(Datasets, CifarRecordsOverSeveralFiles) {
  const testing::TempFolder folder;
  const std::string first = folder.write("a.bin", "\x03" + std::string(3072, '\x33'));
  const std::string second = folder.write("b.bin", "\x07" + std::string(3072, '\xff'));
  const DatasetRequest r = request("cifar:" + first + "," + second, {3, 32, 32}, {}, 10, 0);
  EXPECT_EQ(make_dataset(r)->size(), 2);
  EXPECT_EQ(sample(r, 0).input[5], 0.2);
  EXPECT_EQ(sample(r, 1).label[0], 7.0);
  const std::string cut = folder.write("c.bin", std::string(4000, 'x'));
  EXPECT_THAT(mistake(request("cifar:" + cut, {3, 32, 32}, {}, 10)),
              HasSubstr("record 1 is cut off"));
}

TEST(Datasets, CsvRowsWithAHeader) {
  const testing::TempFolder folder;
  const std::string file = folder.write("t.csv", "x,y,label\n0.5,-1e2,1\r\n3,4,0\n\n5,6\n");
  const DatasetRequest r = request("csv:" + file, {2}, {}, 2, 0);
  EXPECT_EQ(make_dataset(r)->size(), 3);
  EXPECT_THAT(sample(r, 0).input, ElementsAre(0.5, -100.0));
  EXPECT_THAT(sample(r, 0).label, ElementsAre(1.0));
  EXPECT_THAT(mistake(r, 2), HasSubstr("record 2, column 2"));
}

TEST(Datasets, InputsThatAreNotFiniteAreNamed) {
  const testing::TempFolder folder;
  const std::string rows = folder.write("t.csv", "0.5,1,1\n0.1,nan,1\n-inf,1,0\n3,4,nan\n");
  const DatasetRequest r = request("csv:" + rows, {2}, {}, 2, 0);
  EXPECT_EQ(mistake(r, 0), "");
  EXPECT_THAT(mistake(r, 1), HasSubstr(rows + ": record 1, input 2 is nan"));
  EXPECT_THAT(mistake(r, 2), HasSubstr("record 2, input 1 is -inf"));
  EXPECT_THAT(mistake(r, 3), HasSubstr("record 3 has the label nan"));
  const double kInfinity = std::numeric_limits<double>::infinity();
  base::write_npy(folder.path("x.npy"), {base::ElementKind::f16, {2, 2}, {1, 2, 3, kInfinity}});
  base::write_npy(folder.path("y.npy"), {base::ElementKind::i64, {2}, {0, 1}});
  const DatasetRequest pair =
      request("npy:" + folder.path("x.npy") + "," + folder.path("y.npy"), {2}, {}, 2, 0);
  EXPECT_EQ(mistake(pair, 0), "");
  EXPECT_THAT(mistake(pair, 1), HasSubstr("x.npy: record 1, input 2 is inf"));
}

TEST(Datasets, NpyPairsAndText) {
  const testing::TempFolder folder;
  base::write_npy(folder.path("x.npy"), {base::ElementKind::f32, {2, 3}, {1, 2, 3, 4, 5, 6}});
  base::write_npy(folder.path("y.npy"), {base::ElementKind::i64, {2}, {0, 2}});
  const DatasetRequest pair =
      request("npy:" + folder.path("x.npy") + "," + folder.path("y.npy"), {3}, {}, 3, 0);
  EXPECT_THAT(sample(pair, 1).input, ElementsAre(4.0, 5.0, 6.0));
  EXPECT_THAT(sample(pair, 1).label, ElementsAre(2.0));
  const std::string text = folder.write("t.txt", "cabbac");
  const DatasetRequest r = request("text:" + text, {2}, {2}, 3, 0);
  EXPECT_EQ(make_dataset(r)->size(), 2);
  EXPECT_THAT(sample(r, 1).input, ElementsAre(1.0, 1.0));
  EXPECT_THAT(sample(r, 1).label, ElementsAre(1.0, 0.0));
  EXPECT_THAT(mistake(request("bytes:" + text, {2}, {2}, 3)), HasSubstr("up to 99"));
}

TEST(Datasets, FilesAreSplitBehindTheTrainingSamples) {
  const testing::TempFolder folder;
  const std::string file = folder.write("t.csv", "0,0\n1,0\n2,0\n3,0\n4,1\n");
  DatasetRequest r = request("csv:" + file, {1}, {}, 2, 0);
  r.held_out = 2;
  EXPECT_EQ(make_dataset(r)->size(), 3);
  r.split = Split::test;
  EXPECT_EQ(make_dataset(r)->size(), 2);
  EXPECT_THAT(sample(r, 1).input, ElementsAre(4.0));
  r.samples = 1;
  EXPECT_EQ(make_dataset(r)->size(), 1);
  EXPECT_THAT(mistake(request("dgits", {1, 28, 28}, {}, 10)), HasSubstr("did you mean digits"));
}

}  // namespace
}  // namespace npusim::workloads
