// SPDX-License-Identifier: Apache-2.0
// The fuzz targets of the five readers without a fuzzer: valid seeds, each changed at random 20,000
// times (NPUSIM_FUZZ_RUNS), always in the same way. What a target finds ends the process.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

#include "base/array_file.h"
#include "onnx_seeds.h"
#include "tests/source_dir.h"
#include "tests/workloads/zip_text.h"

#define LLVMFuzzerTestOneInput fuzz_json
#include "json_fuzz.cpp"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_npy
#include "npy_fuzz.cpp"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_npz
#include "npz_fuzz.cpp"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_onnx
#include "onnx_fuzz.cpp"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_safetensors
#include "safetensors_fuzz.cpp"
#undef LLVMFuzzerTestOneInput

namespace {

using Target = int (*)(const std::uint8_t*, std::size_t);
using Bytes = std::string;

constexpr std::size_t kMostBytes = 4096;

/// xorshift64* (Vigna 2016).
class Random {
 public:
  std::uint64_t next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545f4914f6cdd1dULL;
  }
  std::size_t below(std::size_t limit) { return limit == 0 ? 0 : next() % limit; }

 private:
  std::uint64_t state_ = 0x9e3779b97f4a7c15ULL;
};

/// Numbers and marks that readers stumble over.
const std::vector<Bytes>& tokens() {
  static const std::vector<Bytes> kTokens = {"-1",
                                             "0",
                                             "1e999",
                                             "9223372036854775807",
                                             "18446744073709551616",
                                             "NaN",
                                             "{",
                                             "[",
                                             "\"",
                                             "\\u0000",
                                             "null",
                                             Bytes(1, '\0'),
                                             Bytes(8, '\xff'),
                                             Bytes(8, '\0'),
                                             Bytes("\xff\xff\xff\x7f"),
                                             Bytes("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"),
                                             "(,)",
                                             "'shape': (4294967296, 4294967296)",
                                             "\"data_offsets\":[0,18446744073709551615]",
                                             "BF16",
                                             ">f8",
                                             "|O"};
  return kTokens;
}

void change(Bytes& bytes, const std::vector<Bytes>& seeds, Random& random) {
  const std::size_t at = random.below(bytes.size() + 1);
  const std::size_t length = random.below(std::min<std::size_t>(bytes.size() - at, 64) + 1);
  switch (random.below(8)) {
    case 0:
      if (at < bytes.size()) bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.below(8)));
      return;
    case 1:
      if (at < bytes.size()) bytes[at] = static_cast<char>(random.next());
      return;
    case 2:
      bytes.erase(at, length);
      return;
    case 3:
      bytes.insert(at, bytes.substr(at, length));
      return;
    case 4:
      bytes.resize(at);
      return;
    case 5:
      bytes.insert(at, tokens()[random.below(tokens().size())]);
      return;
    case 6: {
      const Bytes& token = tokens()[random.below(tokens().size())];
      bytes.replace(at, std::min(token.size(), bytes.size() - at), token);
      return;
    }
    default: {
      const Bytes& other = seeds[random.below(seeds.size())];
      const std::size_t from = random.below(other.size());
      bytes.replace(at, length, other.substr(from, 1 + random.below(256)));
      return;
    }
  }
}

void run(Target target, const Bytes& bytes) {
  // A copy of its own size: reading beyond it is for the sanitizer to see.
  const std::vector<std::uint8_t> data(bytes.begin(), bytes.end());
  EXPECT_EQ(target(data.data(), data.size()), 0);
}

void replay(Target target, const std::vector<Bytes>& seeds) {
  const char* wanted = std::getenv("NPUSIM_FUZZ_RUNS");
  const long runs = wanted != nullptr ? std::atol(wanted) : 20000;
  for (const Bytes& seed : seeds) {
    ASSERT_FALSE(seed.empty());
    run(target, seed);
  }
  Random random;
  for (long i = 0; i < runs; ++i) {
    Bytes bytes = seeds[static_cast<std::size_t>(i) % seeds.size()].substr(0, kMostBytes);
    const std::size_t changes = 1 + random.below(4);
    for (std::size_t c = 0; c < changes; ++c) change(bytes, seeds, random);
    bytes.resize(std::min(bytes.size(), kMostBytes));
    run(target, bytes);
  }
}

npusim::base::ArrayData array(npusim::base::ElementKind kind, std::vector<std::int64_t> shape) {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) count *= extent;
  return {kind, std::move(shape), std::vector<double>(static_cast<std::size_t>(count), 1.0)};
}

Bytes contents(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(FuzzReplay, Json) {
  const std::filesystem::path source = npusim::test::source_dir();
  replay(fuzz_json, {contents(source / "workloads/mlp.json"),
                     contents(source / "configs/npus/cube16_fp16.json"),
                     contents(source / "configs/recipes/fp16_fp32_master.json"),
                     R"([-0.5e-3, "\u00e9\ud83d\ude00\n", true, null, {"": [[]]}, 1e308])"});
}

TEST(FuzzReplay, Npy) {
  using npusim::base::ElementKind;
  std::vector<Bytes> seeds;
  for (const ElementKind kind : {ElementKind::f32, ElementKind::f64, ElementKind::i64,
                                 ElementKind::u8, ElementKind::boolean})
    seeds.push_back(npusim::base::format_npy(array(kind, {2, 3, 4})));
  seeds.push_back(npusim::base::format_npy(array(ElementKind::f32, {})));
  replay(fuzz_npy, seeds);
}

// Changed bytes rarely keep their checksum: what is read through to its end are archives whose
// directory was changed.
TEST(FuzzReplay, Npz) {
  using namespace npusim::workloads::testing;
  using npusim::base::ElementKind;
  const Bytes x = npusim::base::format_npy(array(ElementKind::f32, {20, 3}));
  const Bytes y = npusim::base::format_npy(array(ElementKind::u8, {20}));
  replay(fuzz_npz, {zip_of({stored("x.npy", x), stored("y.npy", y)}),
                    zip_of({deflated("x.npy", x, 100), deflated("y.npy", y)}), zip_of({})});
}

TEST(FuzzReplay, Safetensors) {
  using npusim::base::ElementKind;
  replay(fuzz_safetensors,
         {npusim::base::format_safetensors({{"w", array(ElementKind::f32, {4, 3})},
                                            {"b", array(ElementKind::i32, {5})},
                                            {"empty", array(ElementKind::f32, {0, 2})}}),
          npusim::base::format_safetensors({})});
}

TEST(FuzzReplay, Onnx) {
  replay(fuzz_onnx, npusim::fuzz::onnx_seeds());
}

}  // namespace
