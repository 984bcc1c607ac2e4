// SPDX-License-Identifier: Apache-2.0
#include "precision/kernels/general_gemm.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "precision/aligned_sum.h"
#include "precision/kernels/dispatch.h"
#include "precision/magnitude_bounds.h"

namespace npusim::precision::kernels {
namespace {

constexpr std::int64_t kLanes = kDoubleLanes;
constexpr std::int64_t kPackedBytes = std::int64_t{32} << 20;
constexpr std::int64_t kWantedTasks = 16;

/// One operand as the kernel reads it.
struct Side {
  const OperandRows& rows;
  const Format& format;
  const Slices& slices;
  bool flush;

  std::int64_t count() const {
    return std::max<std::int64_t>(1, static_cast<std::int64_t>(slices.size()));
  }
};

/// floor(log2 |x|) of a finite number that is not zero.
int binary_exponent(double x) {
  std::uint64_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  const int biased = static_cast<int>(bits >> 52U & 0x7FFU);
  return biased != 0 ? biased - 1023 : std::ilogb(x);
}

/// Consecutive rows in groups of `lanes`, interleaved term by term: values and exponents of every
/// slice, scales. Lanes beyond the last row hold zeros.
class PackedRows {
 public:
  PackedRows(const Problem& problem, const Side& side, std::int64_t first, std::int64_t count,
             std::int64_t lanes, bool with_exponents, const ParallelFor& parallel)
      : problem_(problem),
        side_(side),
        first_(first),
        count_(count),
        lanes_(lanes),
        groups_((count + lanes - 1) / lanes),
        scales_of_group_(problem.unit.scales ? problem.terms() * lanes : 0),
        values_of_group_(side.count() * problem.terms() * lanes),
        values_(groups_ * values_of_group_),
        exponents_(with_exponents ? groups_ * values_of_group_ : 0),
        scales_(groups_ * scales_of_group_),
        scale_exponents_(groups_ * scales_of_group_) {
    for (std::int64_t s = 0; with_exponents && s < side.count(); ++s)
      least_exponent_.push_back(
          sliced_format(side.format, side.slices, static_cast<int>(s)).min_exponent());
    if (count % lanes != 0) {
      values_.clear();
      exponents_.clear();
      scales_.clear();
      scale_exponents_.clear();
    }
    parallel(groups_, [this](std::int64_t group) {
      std::vector<double> canonical(static_cast<std::size_t>(problem_.k()));
      const std::int64_t last = std::min(count_, (group + 1) * lanes_);
      for (std::int64_t row = group * lanes_; row < last; ++row) pack(row, canonical);
    });
  }

  std::int64_t first() const { return first_; }
  std::int64_t count() const { return count_; }
  std::int64_t groups() const { return groups_; }
  const double* values(std::int64_t group) const {
    return values_.data() + group * values_of_group_;
  }
  const double* exponents(std::int64_t group) const {
    return least_exponent_.empty() ? exponents_.data()
                                   : exponents_.data() + group * values_of_group_;
  }
  const double* scales(std::int64_t group) const {
    return scales_.data() + group * scales_of_group_;
  }
  const double* scale_exponents(std::int64_t group) const {
    return scale_exponents_.data() + group * scales_of_group_;
  }

 private:
  void pack(std::int64_t row, std::vector<double>& canonical) {
    const std::int64_t group = row / lanes_, lane = row % lanes_;
    side_.rows.read(first_ + row, canonical.data());
    double* const values = values_.data() + group * values_of_group_ + lane;
    double* const exponents =
        least_exponent_.empty() ? nullptr : exponents_.data() + group * values_of_group_ + lane;
    for (std::int64_t s = 0; s < side_.count(); ++s)
      for (std::int64_t i = 0; i < problem_.terms(); ++i)
        pack_term(canonical_at(canonical, i, 0.0), s, (s * problem_.terms() + i) * lanes_, values,
                  exponents);
    if (scales_of_group_ > 0) pack_scales(row, canonical);
  }

  void pack_term(double x, std::int64_t slice, std::int64_t at, double* values,
                 double* exponents) const {
    if (x != x) x = std::numeric_limits<double>::quiet_NaN();
    if (side_.flush) x = without_subnormals(x, side_.format);
    if (!side_.slices.empty()) x = slice_of(x, side_.slices, static_cast<int>(slice));
    values[at] = x;
    if (exponents != nullptr)
      exponents[at] =
          x == 0.0 || !std::isfinite(x)
              ? NPUSIM_NO_EXPONENT
              : std::max(binary_exponent(x), least_exponent_[static_cast<std::size_t>(slice)]);
  }

  void pack_scales(std::int64_t row, std::vector<double>& canonical) {
    std::fill(canonical.begin(), canonical.end(), 1.0);
    if (side_.rows.has_scales()) side_.rows.read_scales(first_ + row, canonical.data());
    const std::int64_t begin = row / lanes_ * scales_of_group_ + row % lanes_;
    for (std::int64_t i = 0; i < problem_.terms(); ++i) {
      const double scale = canonical_at(canonical, i, 1.0);
      scales_.data()[begin + i * lanes_] = scale;
      scale_exponents_.data()[begin + i * lanes_] =
          scale == 0.0 || !std::isfinite(scale) ? 0.0
                                                : exponent_of(scale, problem_.unit.scales->format);
    }
  }

  /// Term i in the order of the sum; padding is `otherwise`.
  double canonical_at(const std::vector<double>& canonical, std::int64_t i,
                      double otherwise) const {
    const std::int64_t from = problem_.order[static_cast<std::size_t>(i)];
    return from < 0 ? otherwise : canonical[static_cast<std::size_t>(from)];
  }

  const Problem& problem_;
  const Side& side_;
  std::int64_t first_, count_, lanes_, groups_, scales_of_group_, values_of_group_;
  std::vector<int> least_exponent_;  ///< of each slice; empty: exponents are not wanted
  AlignedArray<double> values_, exponents_, scales_, scale_exponents_;
};

class GeneralGemm {
 public:
  GeneralGemm(const Problem& problem, const GeneralProgram& program, const TileOutput& out,
              const ParallelFor& parallel)
      : problem_(problem),
        program_(program),
        out_(out),
        parallel_(parallel),
        kernels_(chosen_kernels()),
        a_{problem.a, problem.unit.a, problem.unit.slices_a, problem.unit.flush_a},
        b_{problem.b, problem.unit.b, problem.unit.slices_b, problem.unit.flush_b} {}

  void run() const {
    const std::int64_t columns = rows_at_once(b_) / kLanes * kLanes + kLanes;
    for (std::int64_t b = 0; b < problem_.b.rows(); b += columns) {
      const PackedRows panels = packed(b_, b, columns, kLanes);
      for (std::int64_t a = 0; a < problem_.a.rows(); a += rows_at_once(a_))
        multiply(packed(a_, a, rows_at_once(a_), 1), panels);
    }
  }

 private:
  std::int64_t rows_at_once(const Side& side) const {
    const std::int64_t row_bytes =
        (2 * side.count() + 2) * std::max<std::int64_t>(1, problem_.terms()) * 8;
    return std::max<std::int64_t>(1, kPackedBytes / row_bytes);
  }

  PackedRows packed(const Side& side, std::int64_t first, std::int64_t most,
                    std::int64_t lanes) const {
    return {problem_, side,
            first,    std::min(most, side.rows.rows() - first),
            lanes,    program_.needs_exponents != 0,
            parallel_};
  }

  void multiply(const PackedRows& rows, const PackedRows& panels) const {
    const std::int64_t splits =
        std::min(rows.count(), (kWantedTasks + panels.groups() - 1) / panels.groups());
    const std::int64_t share = (rows.count() + splits - 1) / splits;
    parallel_(panels.groups() * splits, [&](std::int64_t task) {
      const std::int64_t begin = task % splits * share;
      const std::int64_t end = std::min(rows.count(), begin + share);
      AlignedArray<double> scratch(program_.scratch);
      for (std::int64_t row = begin; row < end; ++row)
        run_row(rows, row, panels, task / splits, scratch.data());
    });
  }

  void run_row(const PackedRows& rows, std::int64_t index, const PackedRows& panels,
               std::int64_t panel, double* scratch) const {
    const std::int64_t row = rows.first() + index;
    const std::int64_t column = panels.first() + panel * kLanes;
    const std::int64_t count = std::min(kLanes, panels.count() - panel * kLanes);
    alignas(64) double bias[kLanes] = {};
    alignas(64) double results[kLanes];
    unsigned key_low[kLanes] = {}, key_high[kLanes] = {};
    GeneralRow in{};
    in.a = rows.values(index);
    in.a_exponents = rows.exponents(index);
    in.a_scales = rows.scales(index);
    in.a_scale_exponents = rows.scale_exponents(index);
    in.panel = panels.values(panel);
    in.panel_exponents = panels.exponents(panel);
    in.panel_scales = panels.scales(panel);
    in.panel_scale_exponents = panels.scale_exponents(panel);
    in.terms = static_cast<long>(problem_.terms());
    for (std::int64_t l = 0; l < count; ++l) {
      if (problem_.has_bias()) bias[l] = problem_.bias_at(row, column + l);
      if (!problem_.unit.is_stochastic()) continue;
      const RandomKey key = problem_.output_key(row, column + l, out_.exchanged);
      key_low[l] = key.low;
      key_high[l] = key.high;
    }
    if (problem_.has_bias()) (problem_.plan.bias == BiasEntry::preload ? in.init : in.after) = bias;
    in.key_low = key_low;
    in.key_high = key_high;
    in.scratch = scratch;
    in.out = results;
    kernels_.general_row(program_, in);
    for (double& x : results) x = x == x ? x : std::numeric_limits<double>::quiet_NaN();
    out_.write(row, 1, column, count, results, kLanes);
  }

  const Problem& problem_;
  const GeneralProgram& program_;
  TileOutput out_;
  const ParallelFor& parallel_;
  KernelSet kernels_;
  Side a_, b_;
};

}  // namespace

void general_gemm(const Problem& problem, const GeneralProgram& program, const TileOutput& out,
                  const ParallelFor& parallel) {
  GeneralGemm(problem, program, out, parallel).run();
}

}  // namespace npusim::precision::kernels
