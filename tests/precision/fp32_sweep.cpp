// SPDX-License-Identifier: Apache-2.0
#include "fp32_sweep.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "integer_reference.h"
#include "patterns.h"
#include "precision/counter_random.h"

namespace npusim::precision::fp32_sweep {
namespace {

using integer_reference::Exact;
using integer_reference::Reference;
using rules::Disagreements;

constexpr std::uint64_t kCodes = std::uint64_t{1} << 31;  // of one sign
constexpr std::uint64_t kBlock = 1 << 15;

float float_of(std::uint64_t code, bool negative) {
  const std::uint32_t bits = static_cast<std::uint32_t>(code) | (negative ? 0x80000000u : 0u);
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

/// Codes first, first + stride, ... below the end of the block.
struct Block {
  std::uint64_t first, count;
  bool negative;
};

using Check = std::function<void(const Block&, Disagreements&)>;

/// Blocks of both signs on all cores.
Disagreements over_blocks(std::uint64_t stride, const Check& check) {
  const std::uint64_t codes = (kCodes + stride - 1) / stride;
  const std::uint64_t blocks = (codes + kBlock - 1) / kBlock;
  std::atomic<std::uint64_t> next{0};
  std::mutex mutex;
  Disagreements all;
  std::vector<std::thread> workers;
  for (unsigned t = 0; t < std::max(1u, std::thread::hardware_concurrency()); ++t)
    workers.emplace_back([&] {
      Disagreements mine;
      for (std::uint64_t i = next++; i < 2 * blocks; i = next++) {
        const std::uint64_t begin = i / 2 * kBlock;
        check({begin * stride, std::min(kBlock, codes - begin), i % 2 == 1}, mine);
      }
      const std::lock_guard<std::mutex> lock(mutex);
      all.add(mine);
    });
  for (std::thread& worker : workers) worker.join();
  return all;
}

std::string text(const Format& format, Rounding rounding, double x) {
  std::ostringstream out;
  out << std::hexfloat << rules::text_of(format) << ' ' << name_of(rounding) << " of " << x;
  return out.str();
}

/// Inputs that follow one another and stand between the same two numbers and midpoints.
struct Run {
  std::uint64_t begin, end;
  Exact x;
};

std::vector<Run> runs_of(const std::vector<double>& in, std::uint64_t count,
                         const Reference& reference) {
  std::vector<Run> runs;
  Reference::Position last{0, false};
  bool was_finite = false;
  for (std::uint64_t i = 0; i < count; ++i) {
    const Exact x = integer_reference::exact(in[i]);
    const bool finite = x.kind == Exact::Kind::finite;
    if (finite) {
      const Reference::Position at = reference.position_of(x, was_finite ? last.at : 0);
      const bool same = was_finite && at.at == last.at && !at.exact && !last.exact;
      last = at;
      was_finite = true;
      if (same) {
        runs.back().end = i + 1;
        continue;
      }
    }
    was_finite = finite;
    runs.push_back({i, i + 1, x});
  }
  return runs;
}

}  // namespace

Disagreements against_reference(const Format& format, std::uint64_t stride) {
  const Reference reference(format);
  return over_blocks(stride, [&](const Block& block, Disagreements& wrong) {
    std::vector<double> in(kBlock), out(kBlock);
    for (std::uint64_t i = 0; i < block.count; ++i)
      in[i] = static_cast<double>(float_of(block.first + i * stride, block.negative));
    const std::vector<Run> runs = runs_of(in, block.count, reference);
    for (const Rounding rounding : patterns::kRoundings) {
      round_array(in.data(), out.data(), static_cast<long>(block.count), {format, rounding});
      for (const Run& run : runs) {
        const double want = reference.rounded(run.x, rounding);
        for (std::uint64_t i = run.begin; i < run.end; ++i)
          wrong.note(out[i], want, [&] { return text(format, rounding, in[i]); });
      }
    }
  });
}

Disagreements stochastic_against_reference(const Format& format, std::uint64_t stride) {
  const Reference reference(format);
  return over_blocks(stride, [&](const Block& block, Disagreements& wrong) {
    for (std::uint64_t i = 0; i < block.count; ++i) {
      const std::uint64_t code = block.first + i * stride;
      const auto x = static_cast<double>(float_of(code, block.negative));
      const std::uint32_t random = random_word({3, 4}, static_cast<std::uint32_t>(code));
      for (const int bits : {1, 9, 20})
        wrong.note(round_to(x, {format, Rounding::sr, bits}, random),
                   reference.rounded(integer_reference::exact(x), Rounding::sr, bits, random),
                   [&] { return text(format, Rounding::sr, x) + " " + std::to_string(bits); });
    }
  });
}

#if defined(__x86_64__)
namespace {

/// Eight at a time, there and back: FP16 to binary32 is exact.
__attribute__((target("avx,f16c"))) void convert(const float* in, float* out, std::uint64_t count,
                                                 Rounding rounding) {
  for (std::uint64_t i = 0; i < count; i += 8) {
    const __m256 x = _mm256_loadu_ps(in + i);
    __m128i half;
    switch (rounding) {
      case Rounding::rd:
        half = _mm256_cvtps_ph(x, _MM_FROUND_TO_NEG_INF);
        break;
      case Rounding::ru:
        half = _mm256_cvtps_ph(x, _MM_FROUND_TO_POS_INF);
        break;
      case Rounding::rtz:
        half = _mm256_cvtps_ph(x, _MM_FROUND_TO_ZERO);
        break;
      default:
        half = _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT);
    }
    _mm256_storeu_ps(out + i, _mm256_cvtph_ps(half));
  }
}

}  // namespace

bool has_f16c() {
  return __builtin_cpu_supports("avx") != 0 && __builtin_cpu_supports("f16c") != 0;
}
#else
namespace {
void convert(const float*, float*, std::uint64_t, Rounding) {}
}  // namespace

bool has_f16c() {
  return false;
}
#endif

Disagreements against_f16c(std::uint64_t stride) {
  return over_blocks(stride, [&](const Block& block, Disagreements& wrong) {
    std::vector<float> in(kBlock + 8), hardware(kBlock + 8);
    std::vector<double> wide(kBlock), out(kBlock);
    for (std::uint64_t i = 0; i < block.count; ++i) {
      in[i] = float_of(block.first + i * stride, block.negative);
      wide[i] = static_cast<double>(in[i]);
    }
    for (const Rounding rounding : {Rounding::rne, Rounding::rd, Rounding::ru, Rounding::rtz}) {
      convert(in.data(), hardware.data(), block.count, rounding);
      round_array(wide.data(), out.data(), static_cast<long>(block.count), {fp16(), rounding});
      for (std::uint64_t i = 0; i < block.count; ++i)
        wrong.note(out[i], static_cast<double>(hardware[i]),
                   [&] { return text(fp16(), rounding, wide[i]); });
    }
  });
}

}  // namespace npusim::precision::fp32_sweep
