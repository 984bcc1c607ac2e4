// SPDX-License-Identifier: Apache-2.0
#include "base/npy_stream.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <csignal>
#include <cstdint>
#include <thread>

#include "base/error.h"
#include "base/whole_file.h"
#include "tests/base/temporary_folder.h"

namespace npusim::base {
namespace {

using test::TemporaryFolder;

std::size_t files_in(const TemporaryFolder& folder) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder.path()))
    ++count;
  return count;
}

ArrayData counting(std::int64_t count) {
  ArrayData array{ElementKind::f32, {count}, {}};
  for (std::int64_t i = 0; i < count; ++i) array.values.push_back(static_cast<double>(i) / 8.0);
  return array;
}

TEST(NpyStream, ReadsAnyPartOfAFile) {
  const TemporaryFolder folder;
  const std::int64_t count = 200001;  // three windows and one element
  write_npy(folder.file("x.npy"), counting(count));
  NpyReader reader(folder.file("x.npy"));
  EXPECT_EQ(reader.elements(), count);
  EXPECT_EQ(reader.kind(), ElementKind::f32);
  EXPECT_EQ(reader.shape(), std::vector<std::int64_t>{count});
  std::vector<double> part(150000);
  for (const std::int64_t first : {0, 50000, 49999, 3}) {
    reader.read(first, 150000, part.data());
    for (std::int64_t i = 0; i < 150000; ++i)
      ASSERT_EQ(part[static_cast<std::size_t>(i)], static_cast<double>(first + i) / 8.0);
  }
  reader.read(count - 1, 1, part.data());
  EXPECT_EQ(part[0], static_cast<double>(count - 1) / 8.0);
  reader.read(count, 0, part.data());
  EXPECT_THROW(reader.read(count, 1, part.data()), InternalError);
}

TEST(NpyStream, WritesTheBytesOfTheWholeFileInAnyOrder) {
  const TemporaryFolder folder;
  const ArrayData array = counting(300000);
  NpyWriter writer(folder.file("y.npy"), array.kind, array.shape);
  writer.write(100000, array.values.data() + 100000, 50000);
  writer.write(150000, array.values.data() + 150000, 150000);
  writer.write(0, array.values.data(), 1);
  writer.write(1, array.values.data() + 1, 99999);
  EXPECT_FALSE(std::filesystem::exists(folder.file("y.npy")));
  writer.finish();
  EXPECT_EQ(read_whole_file(folder.file("y.npy")), format_npy(array));
  EXPECT_EQ(files_in(folder), 1u);
}

TEST(NpyStream, NothingAppearsWithoutFinish) {
  const TemporaryFolder folder;
  folder.write("y.npy", "old");
  {
    NpyWriter writer(folder.file("y.npy"), ElementKind::f32, {2});
    const double inexact = 0.1;
    EXPECT_THROW(writer.write(0, &inexact, 1), InputError);
  }
  EXPECT_EQ(read_whole_file(folder.file("y.npy")), "old");
  EXPECT_EQ(files_in(folder), 1u);
}

TEST(NpyStream, EmptyArraysAndScalars) {
  const TemporaryFolder folder;
  for (const ArrayData& array :
       {ArrayData{ElementKind::f64, {0, 7}, {}}, ArrayData{ElementKind::f64, {}, {2.5}}}) {
    NpyWriter writer(folder.file("y.npy"), array.kind, array.shape);
    writer.write(0, array.values.data(), static_cast<std::int64_t>(array.values.size()));
    writer.finish();
    NpyReader reader(folder.file("y.npy"));
    EXPECT_EQ(reader.shape(), array.shape);
    EXPECT_EQ(reader.elements(), static_cast<std::int64_t>(array.values.size()));
  }
}

TEST(NpyStream, FilesThatAreNoArraysAreRefusedAtTheirByte) {
  const TemporaryFolder folder;
  const std::string good = format_npy(counting(4));
  EXPECT_THROW(NpyReader(folder.write("a", good.substr(0, good.size() - 1))), InputError);
  EXPECT_THROW(NpyReader(folder.write("a", good + "x")), InputError);
  EXPECT_THROW(NpyReader(folder.write("a", good.substr(0, 9))), InputError);
  EXPECT_THROW(NpyReader(folder.write("a", good.substr(0, 40))), InputError);
  EXPECT_THROW(NpyReader(folder.write("a", "")), InputError);
  EXPECT_THROW(NpyReader(folder.file("none")), InputError);
  EXPECT_THROW(NpyReader(folder.path().string()), InputError);
  // A header that claims 4 GB is not believed.
  EXPECT_THROW(NpyReader(folder.write("a", std::string("\x93NUMPY\x02\x00\xff\xff\xff\xff{", 13))),
               InputError);
}

TEST(NpyStream, AnElementThatDoubleCannotHoldIsNamedByItsIndex) {
  const TemporaryFolder folder;
  ArrayData array{ElementKind::i64, {100000}, std::vector<double>(100000, 1.0)};
  std::string bytes = format_npy(array);
  bytes[bytes.size() - 1] = 0x7f;  // the last element becomes larger than 2^62
  NpyReader reader(folder.write("x.npy", bytes));
  std::vector<double> values(100000);
  try {
    reader.read(0, 100000, values.data());
    FAIL() << "accepted";
  } catch (const InputError& error) {
    EXPECT_NE(std::string(error.what()).find("element 99999 "), std::string::npos) << error.what();
  }
}

TEST(NpyStream, PipesAreReadWholeAndWrittenInOrder) {
  const TemporaryFolder folder;
  const std::string pipe = folder.file("pipe");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const ArrayData array = counting(100000);
  std::thread feeder([&] {
    NpyWriter writer(pipe, array.kind, array.shape);
    writer.write(0, array.values.data(), 60000);
    writer.write(60000, array.values.data() + 60000, 40000);
    writer.finish();
  });
  NpyReader reader(pipe);
  feeder.join();
  std::vector<double> last(1);
  reader.read(99999, 1, last.data());
  EXPECT_EQ(last[0], array.values.back());
  NpyWriter device("/dev/null", ElementKind::f32, {4});
  const double values[] = {1.0, 2.0};
  device.write(2, values, 2);
  EXPECT_THROW(device.write(0, values, 2); device.finish(), InputError);
}

}  // namespace
}  // namespace npusim::base
