// SPDX-License-Identifier: Apache-2.0
#include "base/array_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "base/error.h"
#include "base/whole_file.h"
#include "tests/base/temporary_folder.h"

namespace npusim::base {
namespace {

using ::testing::HasSubstr;

constexpr double kInf = std::numeric_limits<double>::infinity();

/// A file as numpy writes it: numpy.save of the array, header padded to 64 bytes.
std::string npy(const std::string& descr, const std::string& shape, const std::string& data,
                const std::string& order = "False") {
  std::string header =
      "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }";
  header.resize(117, ' ');
  header += '\n';
  return std::string("\x93NUMPY\x01\x00\x76\x00", 10) + header + data;
}

std::string npy_error(const std::string& bytes) {
  try {
    parse_npy(bytes, "t.npy");
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

std::string st(const std::string& header, const std::string& data) {
  std::string bytes;
  for (unsigned i = 0; i < 8; ++i) bytes += static_cast<char>((header.size() >> (8 * i)) & 0xFFU);
  return bytes + header + data;
}

std::string st_error(const std::string& bytes) {
  try {
    parse_safetensors(bytes, "t.st");
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Npy, ReadsEveryKind) {
  using namespace std::string_literals;
  EXPECT_EQ(parse_npy(npy("<f4", "(2,)", "\0\0\x80\x3f\0\0\0\xc0"s), "t").values,
            (std::vector<double>{1, -2}));
  EXPECT_EQ(parse_npy(npy("<f8", "()", "\0\0\0\0\0\0\xf8\x3f"s), "t").values,
            (std::vector<double>{1.5}));
  EXPECT_EQ(parse_npy(npy("<i8", "(1,)", std::string(8, '\xff')), "t").values,
            (std::vector<double>{-1}));
  EXPECT_EQ(parse_npy(npy("<i4", "(1,)", "\0\0\0\x80"s), "t").values,
            (std::vector<double>{-2147483648.0}));
  EXPECT_EQ(parse_npy(npy("<i2", "(1,)", "\xfe\xff"s), "t").values, (std::vector<double>{-2}));
  EXPECT_EQ(parse_npy(npy("|i1", "(2,)", "\x80\x7f"s), "t").values,
            (std::vector<double>{-128, 127}));
  EXPECT_EQ(parse_npy(npy("|u1", "(2,)", "\x80\x7f"s), "t").values,
            (std::vector<double>{128, 127}));
  EXPECT_EQ(parse_npy(npy("<u2", "(1,)", "\xff\xff"s), "t").values, (std::vector<double>{65535}));
  EXPECT_EQ(parse_npy(npy("<u4", "(1,)", "\xff\xff\xff\xff"s), "t").values,
            (std::vector<double>{4294967295.0}));
  EXPECT_EQ(parse_npy(npy("|b1", "(2,)", "\x00\x01"s), "t").values, (std::vector<double>{0, 1}));
}

TEST(Npy, ReadsHalfPrecisionExactly) {
  using namespace std::string_literals;
  // 1, -2, 65504, smallest normal, smallest and largest subnormal, infinities, -0.
  const std::vector<double> values =
      parse_npy(npy("<f2", "(9,)",
                    "\x00\x3c\x00\xc0\xff\x7b\x00\x04\x01\x00\xff\x03\x00\x7c\x00\xfc\x00\x80"s),
                "t")
          .values;
  EXPECT_EQ(values,
            (std::vector<double>{1, -2, 65504, 0x1p-14, 0x1p-24, 1023 * 0x1p-24, kInf, -kInf, 0}));
  EXPECT_TRUE(std::signbit(values[8]));
  EXPECT_TRUE(std::isnan(parse_npy(npy("<f2", "(1,)", "\x00\x7e"s), "t").values[0]));
}

TEST(Npy, EveryHalfPrecisionBitPatternSurvives) {
  std::string data;
  for (unsigned bits = 0; bits < 65536; ++bits) {
    const bool is_nan = (bits & 0x7C00U) == 0x7C00U && (bits & 0x3FFU) != 0;
    if (is_nan && (bits & 0x7FFFU) != 0x7E00U) continue;  // other NaN payloads become the quiet one
    data += static_cast<char>(bits & 0xFFU);
    data += static_cast<char>(bits >> 8U);
  }
  const std::string file = npy("<f2", "(" + std::to_string(data.size() / 2) + ",)", data);
  const std::string again = format_npy(parse_npy(file, "t"));
  EXPECT_EQ(again.substr(again.size() - data.size()), data);
}

TEST(Npy, ShapesIncludingEmptyAndScalar) {
  EXPECT_EQ(parse_npy(npy("|u1", "(2, 3)", "abcdef"), "t").shape,
            (std::vector<std::int64_t>{2, 3}));
  EXPECT_TRUE(parse_npy(npy("|u1", "()", "a"), "t").shape.empty());
  EXPECT_TRUE(parse_npy(npy("|u1", "(0, 5)", ""), "t").values.empty());
  EXPECT_TRUE(parse_npy(npy("|u1", "(4611686018427387904, 0, 4611686018427387904)", ""), "t")
                  .values.empty());
}

TEST(Npy, WritesWhatItReads) {
  const test::TemporaryFolder folder;
  for (const ElementKind kind :
       {ElementKind::f64, ElementKind::f32, ElementKind::f16, ElementKind::i64, ElementKind::i32,
        ElementKind::i16, ElementKind::i8, ElementKind::u64, ElementKind::u32, ElementKind::u16,
        ElementKind::u8}) {
    const ArrayData array{kind, {2, 2}, {0, 1, 100, 127}};
    write_npy(folder.file("a.npy"), array);
    const ArrayData back = read_npy(folder.file("a.npy"));
    EXPECT_EQ(back.kind, kind);
    EXPECT_EQ(back.shape, array.shape);
    EXPECT_EQ(back.values, array.values);
  }
}

TEST(Npy, DataIsAlignedTo64Bytes) {
  for (const std::vector<std::int64_t>& shape :
       {std::vector<std::int64_t>{}, {1}, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                           1, 1, 1, 1, 1, 1, 1, 1, 1, 1}}) {
    const std::string bytes = format_npy({ElementKind::f32, shape, {0}});
    EXPECT_EQ((bytes.size() - 4) % 64, 0U);
    EXPECT_EQ(bytes[bytes.size() - 5], '\n');
  }
  EXPECT_EQ(format_npy({ElementKind::u8, {6}, {97, 98, 99, 100, 101, 102}}),
            npy("|u1", "(6,)", "abcdef"));
}

TEST(Npy, RefusesToWriteWhatDoesNotFit) {
  const auto code = [](ElementKind kind, double value) {
    try {
      format_npy({kind, {2}, {0, value}});
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string("written");
  };
  EXPECT_THAT(code(ElementKind::f32, 0.1), HasSubstr("element 1 "));
  EXPECT_THAT(code(ElementKind::f32, 1e300), HasSubstr("element 1 "));
  EXPECT_EQ(code(ElementKind::f32, kInf), "written");
  EXPECT_THAT(code(ElementKind::f16, 65505), HasSubstr("element 1 "));
  EXPECT_THAT(code(ElementKind::f16, 0x1p-25), HasSubstr("element 1 "));
  EXPECT_THAT(code(ElementKind::f16, 2049), HasSubstr("element 1 "));
  EXPECT_THAT(code(ElementKind::i8, 128), HasSubstr("element 1 "));
  EXPECT_EQ(code(ElementKind::i8, -128), "written");
  EXPECT_THAT(code(ElementKind::u8, -1), HasSubstr("element 1 "));
  EXPECT_THAT(code(ElementKind::i32, 0.5), HasSubstr("element 1 "));
  EXPECT_THAT(code(ElementKind::i64, std::nan("")), HasSubstr("element 1 "));
  EXPECT_THAT(code(ElementKind::i64, 0x1p63), HasSubstr("element 1 "));
  EXPECT_THAT(code(ElementKind::boolean, 2), HasSubstr("element 1 "));
  EXPECT_THAT(code(ElementKind::bf16, 1), HasSubstr("bf16"));
}

TEST(Npy, EveryTruncationIsAnError) {
  const std::string file = npy("<f4", "(4,)", std::string(16, 'x'));
  for (std::size_t size = 0; size < file.size(); ++size) {
    EXPECT_THAT(npy_error(file.substr(0, size)), HasSubstr("t.npy: at byte")) << size;
  }
  EXPECT_THAT(npy_error(file + "y"), HasSubstr("does not match the 17 bytes"));
}

TEST(Npy, LyingHeadersAreErrors) {
  EXPECT_THAT(npy_error(npy("<f4", "(9223372036854775807,)", "")), HasSubstr("too large"));
  EXPECT_THAT(npy_error(npy("<f8", "(4611686018427387904,)", "")), HasSubstr("does not match"));
  EXPECT_THAT(npy_error(npy("<f8", "(4294967296, 4294967296)", "")), HasSubstr("does not match"));
  EXPECT_THAT(npy_error(npy("<f4", "(-1,)", "")), HasSubstr("dimension"));
  EXPECT_THAT(npy_error(npy("<f4", "(1.5,)", "")), HasSubstr("expected"));
  EXPECT_THAT(npy_error(npy(">f4", "(1,)", "abcd")), HasSubstr("'>f4' is not supported"));
  EXPECT_THAT(npy_error(npy("<c8", "(1,)", "abcdefgh")), HasSubstr("not supported; allowed: <f8"));
  EXPECT_THAT(npy_error(npy("<f4", "(1,)", "abcd", "True")), HasSubstr("Fortran"));
  EXPECT_THAT(npy_error(npy("<f4", "(1,), 'shape': (1,)", "abcd")),
              HasSubstr("repeated key 'shape'"));
  std::string future = npy("<f4", "(1,)", "abcd");
  future[6] = 4;
  EXPECT_THAT(npy_error(future), HasSubstr("version 4"));
  std::string huge = npy("<f4", "(1,)", "abcd");
  huge[8] = huge[9] = '\xff';
  EXPECT_THAT(npy_error(huge), HasSubstr("claims 65535 bytes"));
}

TEST(Npy, IntegersBeyondDoubleAreNamed) {
  const std::string big =
      std::string(8, '\0') + std::string("\x01\0\0\0\0\0\x20\0", 8);  // 0, 2^53 + 1
  EXPECT_THAT(npy_error(npy("<i8", "(2,)", big)), HasSubstr("element 1 is an integer beyond 2^53"));
  EXPECT_THAT(npy_error(npy("<u8", "(1,)", std::string(8, '\xff'))), HasSubstr("beyond 2^53"));
}

TEST(Safetensors, ReadsTensorsByName) {
  using namespace std::string_literals;
  const auto tensors = parse_safetensors(
      st(R"({"__metadata__":{"format":"pt"},"w":{"dtype":"BF16","shape":[2],"data_offsets":[4,8]},)"
         R"("b":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}   )",
         "\0\0\x80\x3f\x80\x3f\x00\xc0"s),
      "t");
  ASSERT_EQ(tensors.size(), 2U);
  EXPECT_EQ(tensors.at("b").values, (std::vector<double>{1}));
  EXPECT_TRUE(tensors.at("b").shape.empty());
  EXPECT_EQ(tensors.at("w").kind, ElementKind::bf16);
  EXPECT_EQ(tensors.at("w").values, (std::vector<double>{1, -2}));
}

TEST(Safetensors, HostileFilesAreErrors) {
  const auto one = [](const std::string& dtype, const std::string& shape,
                      const std::string& offsets) {
    return R"({"w":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" +
           offsets + "}}";
  };
  EXPECT_EQ(st_error(st(one("F32", "[1]", "[0,4]"), "abcd")), "accepted");
  EXPECT_THAT(st_error("short"), HasSubstr("ends inside"));
  EXPECT_THAT(st_error(std::string(8, '\xff') + "{}"), HasSubstr("the header claims"));
  EXPECT_THAT(st_error(st(one("F32", "[1]", "[0,8]"), "abcd")), HasSubstr("out of range"));
  EXPECT_THAT(st_error(st(one("F32", "[2]", "[0,4]"), "abcd")), HasSubstr("does not match"));
  EXPECT_THAT(st_error(st(one("F32", "[1]", "[4,0]"), "abcd")), HasSubstr("does not match"));
  EXPECT_THAT(st_error(st(one("F32", "[-1]", "[0,4]"), "abcd")),
              HasSubstr("/w/shape/0: -1 is out of range"));
  EXPECT_THAT(st_error(st(one("F32", "[4611686018427387904,4]", "[0,4]"), "abcd")),
              HasSubstr("does not match"));
  EXPECT_THAT(st_error(st(one("F99", "[1]", "[0,4]"), "abcd")), HasSubstr("unknown value \"F99\""));
  EXPECT_THAT(st_error(st(one("F32", "[1]", "[0]"), "abcd")), HasSubstr("two elements"));
  EXPECT_THAT(st_error(st(one("F32", "[1]", "[0,4]"), "abcdef")), HasSubstr("belong to no tensor"));
  EXPECT_THAT(st_error(st(one("F32", "[1]", "[2,6]"), "abcdef")), HasSubstr("hole"));
  EXPECT_THAT(st_error(st("{\"w\"", "")), HasSubstr("t.st:1:"));
  EXPECT_THAT(st_error(st(std::string(100000, '['), "")), HasSubstr("nested deeper"));
  EXPECT_THAT(st_error(st("[]", "")), HasSubstr("an object"));
}

}  // namespace
}  // namespace npusim::base
