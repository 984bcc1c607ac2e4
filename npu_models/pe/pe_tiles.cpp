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
std::vector<double> rows_of(const GemmMapping& gemm, int op, int side, std::int64_t group,
                            std::int64_t first, std::int64_t count, std::int64_t k0,
                            std::int64_t terms) {
  precision::ReductionPlan undealt = gemm.plan;
  undealt.deal.reset();
  const std::vector<std::int64_t> order = precision::expand_order(undealt);
  const precision::Format& format = side == 0 ? gemm.unit.a : gemm.unit.b;
  std::vector<double> values;
  values.reserve(static_cast<std::size_t>(count * terms));
  for (std::int64_t row = first; row < first + count; ++row) {
    for (std::int64_t k = k0; k < k0 + terms; ++k) {
      const std::int64_t index = order[static_cast<std::size_t>(k)];
      values.push_back(index < 0 ? 0.0 : made_value(format, op, side, group, row, index));
    }
  }
  return values;
}

/// Begin and extent of one of several even parts; the first ones take one more where it is uneven.
std::pair<std::int64_t, std::int64_t> even_part(std::int64_t extent, std::int64_t parts,
                                                std::int64_t i) {
  const std::int64_t small = extent / parts, larger = extent % parts;
  return {i * small + std::min(i, larger), small + (i < larger ? 1 : 0)};
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

/// What one array takes of a tile.
struct PeTiles::Work {
  std::int64_t group, part, m0, n0;
  TileShape shape;
  std::vector<double> a, b, sums;
};

std::vector<double>& PeTiles::sums_of(const PeTile& of, std::int64_t group, std::int64_t part) {
  const GemmMapping& gemm = *of.gemm;
  std::vector<double>& sums = sums_[{of.op, group, part}];
  if (!sums.empty()) return sums;
  const bool from_bias = has_bias(gemm) && gemm.split.k == 1;
  for (std::int64_t m = 0; m < gemm.contraction.m; ++m)
    for (std::int64_t n = 0; n < gemm.contraction.n; ++n)
      sums.push_back(from_bias ? made_bias(gemm, of.op, group, n) : 0.0);
  return sums;
}

std::vector<PeTiles::Work> PeTiles::shared_out(const PeTile& of) {
  const GemmMapping& gemm = *of.gemm;
  const TileAt& at = of.at;
  std::vector<Work> all;
  for (std::int64_t group = at.group0; group < at.group0 + of.extents.groups; ++group) {
    for (std::int64_t part = 0; part < gemm.split.k; ++part) {
      const std::int64_t k0 = part * gemm.k_part() + at.k_tile * gemm.tile_k;
      const std::int64_t k = gemm.k_extent(part, at.k_tile);
      for (std::int64_t i = 0; i < gemm.split.m; ++i) {
        for (std::int64_t j = 0; j < gemm.split.n; ++j) {
          const auto [m0, m] = even_part(of.extents.m, gemm.split.m, i);
          const auto [n0, n] = even_part(of.extents.n, gemm.split.n, j);
          if (m == 0 || n == 0 || k == 0) continue;
          Work work{group, part, at.m0 + m0, at.n0 + n0, {m, n, k}, {}, {}, {}};
          work.a = rows_of(gemm, of.op, 0, group, work.m0, m, k0, k);
          work.b = rows_of(gemm, of.op, 1, group, work.n0, n, k0, k);
          all.push_back(std::move(work));
        }
      }
    }
  }
  return all;
}

std::int64_t PeTiles::cycles_of(const PeTile& of) {
  const GemmMapping& gemm = *of.gemm;
  const bool resumes = of.at.k_tile > 0 || (has_bias(gemm) && gemm.split.k == 1);
  const auto stored = [&](const Work& work, std::int64_t m, std::int64_t n) -> double& {
    const std::int64_t at = (work.m0 + m) * gemm.contraction.n + work.n0 + n;
    return sums_of(of, work.group, work.part)[static_cast<std::size_t>(at)];
  };
  std::vector<Work> all = shared_out(of);
  std::vector<PeJob> jobs;
  for (Work& work : all) {
    for (std::int64_t m = 0; m < work.shape.m; ++m)
      for (std::int64_t n = 0; n < work.shape.n; ++n) work.sums.push_back(stored(work, m, n));
    jobs.push_back({work.shape, &gemm.unit, gemm.macs_per_pe_per_cycle,
                    gemm.accumulator_latency_cycles, work.a.data(), work.b.data(), work.sums.data(),
                    resumes});
  }
  const std::int64_t cycles = engine_.run(jobs);

  const bool last = of.at.k_tile + 1 == gemm.k_tiles();
  for (const Work& work : all) {
    for (std::int64_t m = 0; m < work.shape.m; ++m) {
      for (std::int64_t n = 0; n < work.shape.n; ++n) {
        double sum = work.sums[static_cast<std::size_t>(m * work.shape.n + n)];
        if (gemm.spills && !last)
          sum = precision::round_to(sum, gemm.plan.chunks.back().arithmetic);
        stored(work, m, n) = sum;
      }
    }
  }
  if (!last) return cycles;
  for (std::int64_t group = 0; group < of.extents.groups; ++group) check(of, of.at.group0 + group);
  return cycles;
}

/// What the vector unit makes of the parts of K.
double PeTiles::combined(const PeTile& of, std::int64_t group, std::int64_t m, std::int64_t n) {
  const GemmMapping& gemm = *of.gemm;
  const auto at = static_cast<std::size_t>(m * gemm.contraction.n + n);
  double sum = sums_of(of, group, 0)[at];
  if (gemm.split.k == 1) return sum;
  const precision::Arithmetic& sums = gemm.unit.accumulator();
  if (has_bias(gemm)) sum = precision::rounded_sum(made_bias(gemm, of.op, group, n), sum, sums);
  for (std::int64_t part = 1; part < gemm.split.k; ++part)
    sum = precision::rounded_sum(sum, sums_of(of, group, part)[at], sums);
  return sum;
}

void PeTiles::check(const PeTile& of, std::int64_t group) {
  const GemmMapping& gemm = *of.gemm;
  const std::int64_t terms = gemm.plan.terms();
  const auto row_of = [&](int side, std::int64_t row) {
    const precision::Format& format = side == 0 ? gemm.unit.a : gemm.unit.b;
    std::vector<double> values;
    for (std::int64_t k = 0; k < terms; ++k)
      values.push_back(made_value(format, of.op, side, group, row, k));
    return values;
  };
  std::vector<std::vector<double>> b;
  for (std::int64_t n = 0; n < of.extents.n; ++n) b.push_back(row_of(1, of.at.n0 + n));
  for (std::int64_t m = of.at.m0; m < of.at.m0 + of.extents.m; ++m) {
    const std::vector<double> a = row_of(0, m);
    for (std::int64_t i = 0; i < of.extents.n; ++i) {
      const std::int64_t n = of.at.n0 + i;
      const double bias = has_bias(gemm) ? made_bias(gemm, of.op, group, n) : 0.0;
      const double planned = precision::planned_dot(gemm.unit, gemm.plan, a.data(),
                                                    b[static_cast<std::size_t>(i)].data(),
                                                    has_bias(gemm) ? &bias : nullptr);
      const double sum = combined(of, group, m, n);
      NPUSIM_CHECK(same_bits(sum, planned), "the elements' sum " + std::to_string(sum) +
                                                " is not the plan's " + std::to_string(planned) +
                                                " in op " + std::to_string(of.op));
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
    if (op.attention || op.attention_gradient) return "fused attention has no clocked elements";
    if (!op.gemm) continue;
    if (op.gemm->winograd) return "convolutions by Winograd have no clocked elements";
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
