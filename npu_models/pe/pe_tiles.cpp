// SPDX-License-Identifier: Apache-2.0
#include "npu_models/pe/pe_tiles.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "npu_models/tiling.h"
#include "precision/counter_random.h"

namespace npusim::npu::pe {
namespace {

constexpr std::int64_t kMostElements = 4096;
constexpr std::int64_t kMostElementCycles = 50'000'000;

/// A value of the format from where it stands: sign, a few binades, random digits.
double made_value(const precision::Format& format, int op, int side, std::int64_t group,
                  std::int64_t row, std::int64_t k) {
  precision::RandomKey key{static_cast<std::uint32_t>(op), static_cast<std::uint32_t>(side)};
  for (const std::int64_t coordinate : {group, row, k})
    key = precision::derived_key(key, static_cast<std::uint64_t>(coordinate));
  const auto word = precision::random_word(key, 0);
  const double digits = static_cast<double>(word >> 8) * 0x1p-23 - 1.0;
  return precision::round_to(digits * static_cast<double>(1 << (word & 3)), format,
                             precision::Rounding::rne);
}

bool has_bias(const GemmMapping& gemm) {
  return gemm.contraction.bias_input >= 0 && gemm.plan.bias == precision::BiasEntry::preload;
}

double made_bias(const GemmMapping& gemm, int op, std::int64_t group, std::int64_t n) {
  const precision::Arithmetic arithmetic = precision::bias_arithmetic(gemm.unit);
  return precision::round_to(made_value(arithmetic.format, op, 2, group, n, 0), arithmetic);
}

/// Rows of one operand in the order of K as tiles cut it: the deal to partial sums is the array's.
std::vector<double> rows_of(const GemmMapping& gemm, int op, int side, const TileAt& at,
                            std::int64_t first, std::int64_t count, std::int64_t terms) {
  precision::ReductionPlan undealt = gemm.plan;
  undealt.deal.reset();
  const std::vector<std::int64_t> order = precision::expand_order(undealt);
  const precision::Format& format = side == 0 ? gemm.unit.a : gemm.unit.b;
  std::vector<double> values;
  values.reserve(static_cast<std::size_t>(count * terms));
  for (std::int64_t row = first; row < first + count; ++row) {
    for (std::int64_t k = at.k0; k < at.k0 + terms; ++k) {
      const std::int64_t index = order[static_cast<std::size_t>(k)];
      values.push_back(index < 0 ? 0.0 : made_value(format, op, side, at.group, row, index));
    }
  }
  return values;
}

bool same_bits(double x, double y) {
  return (x != x && y != y) || std::memcmp(&x, &y, sizeof x) == 0;
}

}  // namespace

PeTiles::PeTiles(const sc_core::sc_module_name& name, const MacArraySpec& array,
                 const std::optional<WaveformOptions>& waveform)
    : sc_core::sc_module(name), array_(array), engine_(array, array.arrays, waveform) {
  SC_THREAD(run);
}

void PeTiles::begin(const PeTile& tile) {
  queue_.emplace_back(tile, sc_core::sc_time_stamp());
  begun_.notify();
}

void PeTiles::run() {
  for (;;) {
    while (queue_.empty()) wait(begun_);
    const auto [tile, begin] = queue_.front();
    queue_.pop_front();
    NPUSIM_CHECK(sc_core::sc_time_stamp() == begin, "tiles overlap on the elements");
    const std::int64_t cycles = cycles_of(tile);
    NPUSIM_CHECK(cycles == tile.cycles, "a tile took " + std::to_string(cycles) +
                                            " cycles on clocked elements and " +
                                            std::to_string(tile.cycles) + " in closed form");
  }
}

std::int64_t PeTiles::cycles_of(const PeTile& of) {
  const GemmMapping& gemm = *of.gemm;
  const TileAt& at = of.at;
  const TileShape& tile = of.shape;
  const int op = of.op;
  const std::int64_t all_n = gemm.contraction.n;
  std::vector<double>& sums = outputs_[{op, at.group}].sums;
  if (sums.empty()) {
    for (std::int64_t m = 0; m < gemm.contraction.m; ++m)
      for (std::int64_t n = 0; n < all_n; ++n)
        sums.push_back(has_bias(gemm) ? made_bias(gemm, op, at.group, n) : 0.0);
  }
  const auto stored = [&](std::int64_t m, std::int64_t n) -> double& {
    return sums[static_cast<std::size_t>((at.m0 + m) * all_n + at.n0 + n)];
  };
  const std::vector<double> a = rows_of(gemm, op, 0, at, at.m0, tile.m, tile.k);
  const std::vector<double> b = rows_of(gemm, op, 1, at, at.n0, tile.n, tile.k);
  std::vector<double> part;
  for (std::int64_t m = 0; m < tile.m; ++m)
    for (std::int64_t n = 0; n < tile.n; ++n) part.push_back(stored(m, n));

  // The first arrays take one position more where the split is uneven.
  std::vector<PeJob> jobs;
  std::int64_t begin = 0;
  for (std::int64_t i = 0; i < array_.arrays; ++i) {
    const std::int64_t share = tile.m / array_.arrays + (i < tile.m % array_.arrays ? 1 : 0);
    jobs.push_back({{share, tile.n, tile.k},
                    &gemm.unit,
                    gemm.macs_per_pe_per_cycle,
                    gemm.accumulator_latency_cycles,
                    a.data() + begin * tile.k,
                    b.data(),
                    part.data() + begin * tile.n,
                    at.k0 > 0 || has_bias(gemm)});
    begin += share;
  }
  const std::int64_t cycles = engine_.run(jobs);

  const bool last = at.k0 + tile.k >= gemm.ordered_k;
  for (std::int64_t m = 0; m < tile.m; ++m) {
    for (std::int64_t n = 0; n < tile.n; ++n) {
      double& sum = part[static_cast<std::size_t>(m * tile.n + n)];
      if (gemm.spills && !last) sum = precision::round_to(sum, gemm.plan.chunks.back().arithmetic);
      stored(m, n) = sum;
    }
  }
  if (last) check(of, part);
  return cycles;
}

void PeTiles::check(const PeTile& of, const std::vector<double>& sums) const {
  const GemmMapping& gemm = *of.gemm;
  const TileAt& at = of.at;
  const TileShape& tile = of.shape;
  const int op = of.op;
  const std::int64_t terms = gemm.plan.terms();
  const auto row_of = [&](int side, std::int64_t row) {
    const precision::Format& format = side == 0 ? gemm.unit.a : gemm.unit.b;
    std::vector<double> values;
    for (std::int64_t k = 0; k < terms; ++k)
      values.push_back(made_value(format, op, side, at.group, row, k));
    return values;
  };
  std::vector<std::vector<double>> b;
  for (std::int64_t n = 0; n < tile.n; ++n) b.push_back(row_of(1, at.n0 + n));
  for (std::int64_t m = 0; m < tile.m; ++m) {
    const std::vector<double> a = row_of(0, at.m0 + m);
    for (std::int64_t n = 0; n < tile.n; ++n) {
      const double bias = has_bias(gemm) ? made_bias(gemm, op, at.group, at.n0 + n) : 0.0;
      const double planned = precision::planned_dot(gemm.unit, gemm.plan, a.data(),
                                                    b[static_cast<std::size_t>(n)].data(),
                                                    has_bias(gemm) ? &bias : nullptr);
      const double sum = sums[static_cast<std::size_t>(m * tile.n + n)];
      NPUSIM_CHECK(same_bits(sum, planned), "the elements' sum " + std::to_string(sum) +
                                                " is not the plan's " + std::to_string(planned) +
                                                " in op " + std::to_string(op));
    }
  }
}

std::string refusal(const NpuSpec& npu, const MappedGraph& mapped) {
  const MacArraySpec& array = npu.mac_array;
  const std::int64_t elements = elements_of(array) * array.arrays;
  if (elements > kMostElements)
    return npu.name + " has " + std::to_string(elements) + " elements; at most " +
           std::to_string(kMostElements) + " can be clocked one by one";
  double work = 0.0;
  for (const MappedOp& op : mapped.ops) {
    if (!op.gemm) continue;
    const std::string reason = op.gemm->cycles_per_step > 1
                                   ? "a step of its operands takes several cycles"
                                   : why_not(array, op.gemm->unit);
    if (!reason.empty()) return npu.name + ": " + reason;
    work += static_cast<double>(array_cycles(npu, *op.gemm)) * static_cast<double>(elements);
  }
  if (work > static_cast<double>(kMostElementCycles))
    return "the workload takes " + std::to_string(static_cast<std::int64_t>(work)) +
           " element-cycles; at most " + std::to_string(kMostElementCycles) +
           " are clocked one by one";
  return {};
}

}  // namespace npusim::npu::pe
