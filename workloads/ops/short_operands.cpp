// SPDX-License-Identifier: Apache-2.0
#include "workloads/ops/short_operands.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>

namespace npusim::workloads {
namespace {

constexpr unsigned kDroppedBits = 13;  // of a binary32 significand of 24
constexpr unsigned kSegmentBits = 10;  // an exponent and a sign: 2^10 operands
constexpr std::size_t kSegments = std::size_t{1} << (32 - kDroppedBits - kSegmentBits);
constexpr int kPiece = 256;

std::uint64_t bits_of(double x) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

/// Which short operand x is; negative: none.
std::int64_t index_of(double x) {
  const auto narrow = static_cast<float>(x);
  std::uint32_t bits = 0;
  std::memcpy(&bits, &narrow, sizeof bits);
  const bool is_short =
      static_cast<double>(narrow) == x && (bits & ((1U << kDroppedBits) - 1)) == 0;
  return is_short ? static_cast<std::int64_t>(bits >> kDroppedBits) : -1;
}

}  // namespace

/// Complements of the values' bits, so that zero stands for "not known": the NaN of all ones is
/// nobody's value. Threads that meet an unknown operand together store the same.
struct ShortOperandValues::Table {
  using Segment = std::array<std::atomic<std::uint64_t>, std::size_t{1} << kSegmentBits>;
  std::array<std::atomic<Segment*>, kSegments> segments{};

  ~Table() {
    for (std::atomic<Segment*>& segment : segments) delete segment.load();
  }
  bool find(std::int64_t index, double& y) const {
    const Segment* segment =
        segments[static_cast<std::size_t>(index) >> kSegmentBits].load(std::memory_order_acquire);
    if (segment == nullptr) return false;
    const std::uint64_t kept = (*segment)[slot(index)].load(std::memory_order_relaxed);
    if (kept == 0) return false;
    const std::uint64_t bits = ~kept;
    std::memcpy(&y, &bits, sizeof y);
    return true;
  }
  void keep(std::int64_t index, double y) {
    std::atomic<Segment*>& of = segments[static_cast<std::size_t>(index) >> kSegmentBits];
    Segment* segment = of.load(std::memory_order_acquire);
    if (segment == nullptr) {
      auto fresh = std::make_unique<Segment>();
      if (of.compare_exchange_strong(segment, fresh.get(), std::memory_order_acq_rel))
        segment = fresh.release();
    }
    (*segment)[slot(index)].store(~bits_of(y), std::memory_order_relaxed);
  }

 private:
  static std::size_t slot(std::int64_t index) {
    return static_cast<std::size_t>(index) & ((std::size_t{1} << kSegmentBits) - 1);
  }
};

ShortOperandValues::ShortOperandValues() : table_(std::make_unique<Table>()) {}
ShortOperandValues::~ShortOperandValues() = default;

void ShortOperandValues::values(const double* x, double* y, int count,
                                const Compute& compute) const {
  for (int at = 0; at < count; at += kPiece) {
    const int length = std::min(kPiece, count - at);
    int positions[kPiece];
    std::int64_t indices[kPiece];
    double unknown[kPiece];
    int unknowns = 0, longer = 0;
    for (int i = at; i < at + length; ++i) {
      const std::int64_t index = index_of(x[i]);
      if (index >= 0 && table_->find(index, y[i])) continue;
      longer += index < 0 ? 1 : 0;
      positions[unknowns] = i;
      indices[unknowns] = index;
      unknown[unknowns++] = x[i];
    }
    if (unknowns == 0) continue;
    compute(unknown, unknown, unknowns);
    for (int u = 0; u < unknowns; ++u) {
      y[positions[u]] = unknown[u];
      if (indices[u] >= 0) table_->keep(indices[u], unknown[u]);
    }
    if (longer == length) {  // of another format, then: not worth looking
      compute(x + at + length, y + at + length, count - at - length);
      return;
    }
  }
}

}  // namespace npusim::workloads
