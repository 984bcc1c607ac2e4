// SPDX-License-Identifier: Apache-2.0
// .npz files as numpy writes them, and archives that lie, are cut off or broken.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/array_file.h"
#include "base/error.h"
#include "temp_file.h"
#include "workloads/datasets/dataset.h"
#include "workloads/datasets/npz_archive.h"
#include "zip_text.h"

namespace npusim::workloads {
namespace {

using base::ElementKind;
using ::testing::AllOf;
using testing::deflated;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::stored;
using testing::TempFolder;
using testing::zip_of;
using testing::ZipMember;

/// numpy 1.24: savez_compressed(f, x=array([[1, 2, 3], [4, 5, 6.5]], 'f4'), y=array([0, 2], 'i8')).
constexpr const char* kByNumpy =
    "504b0304140000000800000021002d8e1ce8580000009800000005001400782e6e7079010010009800000000000000"
    "5800"
    "0000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9366a2aea3a09e965f54529498179f5f94920a"
    "1277"
    "4bcc294e058a17672416a402f91a463a0ac69a3a0ab50a64032e0686067b060606072002e206205e00c4171c00504b"
    "0304"
    "140000000800000021009d6d7447490000009000000005001400792e6e707901001000900000000000000049000000"
    "0000"
    "00009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9369a1aea3a09e965f54529498179f5f94920a12774bcc"
    "294e"
    "058a17672416a402f91a463a9a3a0ab50a14002e06286082d200504b01021403140000000800000021002d8e1ce858"
    "0000"
    "0098000000050000000000000000000000800100000000782e6e7079504b01021403140000000800000021009d6d74"
    "4749"
    "0000009000000005000000000000000000000080018f000000792e6e7079504b050600000000020002006600"
    "00000f0100000000";

std::string bytes_of(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return bytes;
}

DatasetRequest request(const std::string& source, Shape input, std::int64_t classes) {
  DatasetRequest r;
  r.source = source;
  r.sample = {std::move(input), {}, classes, false};
  return r;
}

struct Sample {
  std::vector<double> input;
  double label = -1.0;
};

Sample sample(const Dataset& data, const Shape& input, std::int64_t index) {
  Sample s;
  s.input.resize(static_cast<std::size_t>(element_count(input)));
  data.read(index, s.input.data(), &s.label);
  return s;
}

std::string npy(std::int64_t count, std::int64_t width) {
  base::ArrayData array{ElementKind::f32, {count, width}, {}};
  for (std::int64_t i = 0; i < count * width; ++i)
    array.values.push_back(static_cast<double>(i % 991));
  return base::format_npy(array);
}
std::string labels(std::int64_t count) {
  base::ArrayData array{ElementKind::u8, {count}, {}};
  for (std::int64_t i = 0; i < count; ++i) array.values.push_back(static_cast<double>(i % 3));
  return base::format_npy(array);
}

/// What is wrong with an archive of 500 records of 40 bytes in x.
std::string mistake(const std::string& archive, std::int64_t record = 0) {
  const TempFolder folder;
  try {
    sample(*make_dataset(request("npz:" + folder.write("f.npz", archive), {10}, 3)), {10}, record);
  } catch (const base::InputError& error) {
    return error.what();
  }
  return "";
}

TEST(Npz, NumpysCompressedFile) {
  const TempFolder folder;
  const auto data =
      make_dataset(request("npz:" + folder.write("f.npz", bytes_of(kByNumpy)), {3}, 3));
  ASSERT_EQ(data->size(), 2);
  EXPECT_THAT(sample(*data, {3}, 1).input, ElementsAre(4.0, 5.0, 6.5));
  EXPECT_EQ(sample(*data, {3}, 1).label, 2.0);
  EXPECT_THAT(sample(*data, {3}, 0).input, ElementsAre(1.0, 2.0, 3.0));
}

TEST(Npz, StoredAndDeflatedMembersGiveTheRecordsOfTheirNpyFiles) {
  const TempFolder folder;
  const std::string x = npy(500, 10), y = labels(500);
  const std::string files = folder.write("x.npy", x) + "," + folder.write("y.npy", y);
  const std::string zip =
      zip_of({stored("inputs.npy", x), stored("readme.txt", "hello"), deflated("y.npy", y, 100),
              deflated("x.npy", x, 7000), stored("labels.npy", y)});
  const std::string path = folder.write("f.npz", zip);
  const auto plain = make_dataset(request("npy:" + files, {10}, 3));
  for (const std::string& names : {std::string(), std::string(",inputs,labels")}) {
    const auto packed = make_dataset(request("npz:" + path + names, {10}, 3));
    ASSERT_EQ(packed->size(), 500);
    for (const std::int64_t i : {499, 0, 250, 3}) {
      EXPECT_EQ(sample(*packed, {10}, i).input, sample(*plain, {10}, i).input);
      EXPECT_EQ(sample(*packed, {10}, i).label, sample(*plain, {10}, i).label);
    }
  }
  EXPECT_THAT(NpzArchive(path).arrays(), ElementsAre("inputs", "y", "x", "labels"));
}

TEST(Npz, MissingArraysAreToldWithThoseThereAre) {
  EXPECT_THAT(mistake(zip_of({stored("x_train.npy", npy(500, 10)), stored("y.npy", labels(500))})),
              AllOf(HasSubstr("has no array x"), HasSubstr("x_train")));
  EXPECT_THAT(mistake("this is no archive at all, however long it may become"),
              HasSubstr("f.npz: no .npz file that can be read"));
}

TEST(Npz, APipeIsRefusedBeforeItIsRead) {
  const TempFolder folder;
  const std::string path = folder.path("pipe.npz");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  for (const std::string& file : {path, std::string("/dev/zero")}) {
    try {
      NpzArchive archive(file);
      FAIL() << file;
    } catch (const base::InputError& error) {
      EXPECT_THAT(error.what(), AllOf(HasSubstr(file + ": is a pipe or a device"),
                                      HasSubstr("save it as a regular file")));
      EXPECT_EQ(error.diagnostics()[0].code, "unreadable-file");
    }
  }
}

TEST(Npz, TruncatedArchivesAreRefused) {
  const std::string whole = zip_of({deflated("x.npy", npy(500, 10)), stored("y.npy", labels(500))});
  EXPECT_EQ(mistake(whole), "");
  for (const std::size_t size :
       {whole.size() - 1, whole.size() / 2, std::size_t{30}, std::size_t{0}})
    EXPECT_THAT(mistake(whole.substr(0, size)), HasSubstr("no .npz file that can be read")) << size;
}

TEST(Npz, AWrongChecksumNamesTheMember) {
  std::string zip = zip_of({stored("x.npy", npy(500, 10)), stored("y.npy", labels(500))});
  zip[5000] = static_cast<char>(zip[5000] ^ 1);
  EXPECT_THAT(mistake(zip), AllOf(HasSubstr("member x.npy"),
                                  HasSubstr("up to record 499, is broken"), HasSubstr("CRC")));
}

// A block of 4000 bytes of deflate starts with 5 of its own; the third one's are broken.
TEST(Npz, ABrokenStreamNamesTheRecord) {
  const std::string x = npy(500, 10);
  ZipMember member = deflated("x.npy", x, 4000);
  member.packed[2 * 4005 + 3] = 'x';
  const std::string text = mistake(zip_of({member, stored("y.npy", labels(500))}));
  EXPECT_THAT(text, HasSubstr("member x.npy: cannot be read from record "));
  const int named = std::stoi(text.substr(text.find("record ") + 7));
  const int broken = static_cast<int>((8000 - (x.size() - 500 * 40)) / 40);
  EXPECT_LE(named, broken);
  EXPECT_GE(named, broken - 4096 / 40 - 1);
}

TEST(Npz, SizesThatLieAreFoundOut) {
  const ZipMember y = stored("y.npy", labels(500));
  ZipMember more = deflated("x.npy", npy(500, 10));
  more.size -= 4000;
  EXPECT_THAT(mistake(zip_of({more, y})), HasSubstr("member x.npy"));
  ZipMember fewer = deflated("x.npy", npy(500, 10));
  fewer.size += 4000;
  EXPECT_THAT(mistake(zip_of({fewer, y})), HasSubstr("member x.npy"));
  // The array's own header claims more records than follow.
  std::string x = npy(500, 10);
  x.replace(x.find("(500, 10)"), 9, "(900, 10)");
  EXPECT_THAT(mistake(zip_of({deflated("x.npy", x), y})),
              AllOf(HasSubstr("member x.npy"), HasSubstr("record 500 is cut off")));
}

TEST(Npz, BombsAreNotUnpacked) {
  ZipMember bomb = deflated("x.npy", npy(500, 10));
  bomb.size = 0xfffffff0;
  EXPECT_THAT(mistake(zip_of({bomb, stored("y.npy", labels(500))})),
              AllOf(HasSubstr("member x.npy"), HasSubstr("4294967280 bytes"),
                    HasSubstr("may unpack to 268435456")));
}

TEST(Npz, LabelsOutsideTheClassesNameTheirRecord) {
  EXPECT_THAT(mistake(zip_of({stored("x.npy", npy(500, 10)), stored("y.npy", npy(500, 1))}), 7),
              AllOf(HasSubstr("member y.npy: record 7 has the label 7"), HasSubstr("3 classes")));
}

TEST(Npz, EncryptedAndForeignMembersAreRefused) {
  ZipMember foreign = stored("x.npy", npy(500, 10));
  foreign.method = 97;
  EXPECT_THAT(mistake(zip_of({foreign, stored("y.npy", labels(500))})),
              AllOf(HasSubstr("member x.npy"), HasSubstr("cannot be read")));
  std::string zip = zip_of({stored("x.npy", npy(500, 10)), stored("y.npy", labels(500))});
  zip[6] = 1;  // the flag of encryption, here and in the directory
  const std::size_t entry = zip.find("PK\x01\x02");
  zip[entry + 8] = 1;
  EXPECT_THAT(mistake(zip), AllOf(HasSubstr("member x.npy"), HasSubstr("cannot be read")));
}

}  // namespace
}  // namespace npusim::workloads
