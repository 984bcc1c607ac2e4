// SPDX-License-Identifier: Apache-2.0
#include "precision/kernels/general_gemm.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

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

/// Some rows, `stride` of them interleaved term by term: values and exponents of every slice,
/// scales.
class PackedRows {
 public:
  PackedRows(const Problem& problem, const Side& side, std::int64_t stride, bool with_exponents)
      : problem_(problem),
        side_(side),
        stride_(stride),
        with_exponents_(with_exponents),
        values_(side.count() * problem.terms() * stride),
        exponents_(with_exponents ? side.count() * problem.terms() * stride : 0),
        scales_(has_scales() ? problem.terms() * stride : 0),
        scale_exponents_(has_scales() ? problem.terms() * stride : 0) {
    values_.clear();
    exponents_.clear();
    scales_.clear();
    scale_exponents_.clear();
  }

  void pack(std::int64_t row, std::int64_t lane, std::vector<double>& canonical) {
    canonical.resize(static_cast<std::size_t>(problem_.k()));
    side_.rows.read(row, canonical.data());
    for (std::int64_t i = 0; i < problem_.terms(); ++i) {
      const std::int64_t from = problem_.order[static_cast<std::size_t>(i)];
      pack_term(from < 0 ? 0.0 : canonical[static_cast<std::size_t>(from)], i, lane);
    }
    if (!has_scales()) return;
    std::fill(canonical.begin(), canonical.end(), 1.0);
    if (side_.rows.has_scales()) side_.rows.read_scales(row, canonical.data());
    for (std::int64_t i = 0; i < problem_.terms(); ++i) {
      const std::int64_t from = problem_.order[static_cast<std::size_t>(i)];
      const double scale = from < 0 ? 1.0 : canonical[static_cast<std::size_t>(from)];
      scales_.data()[i * stride_ + lane] = scale;
      scale_exponents_.data()[i * stride_ + lane] =
          exponent(scale, problem_.unit.scales->format, 0.0);
    }
  }

  const double* values() const { return values_.data(); }
  const double* exponents() const { return exponents_.data(); }
  const double* scales() const { return scales_.data(); }
  const double* scale_exponents() const { return scale_exponents_.data(); }

 private:
  bool has_scales() const { return problem_.unit.scales.has_value(); }

  static double exponent(double x, const Format& format, double otherwise) {
    return x == 0.0 || !std::isfinite(x) ? otherwise : exponent_of(x, format);
  }

  void pack_term(double x, std::int64_t i, std::int64_t lane) {
    if (x != x) x = std::numeric_limits<double>::quiet_NaN();
    if (side_.flush) x = without_subnormals(x, side_.format);
    for (std::int64_t s = 0; s < side_.count(); ++s) {
      const double slice = slice_of(x, side_.slices, static_cast<int>(s));
      const std::int64_t at = (s * problem_.terms() + i) * stride_ + lane;
      values_.data()[at] = slice;
      if (with_exponents_)
        exponents_.data()[at] =
            exponent(slice, sliced_format(side_.format, side_.slices, static_cast<int>(s)),
                     NPUSIM_NO_EXPONENT);
    }
  }

  const Problem& problem_;
  const Side& side_;
  std::int64_t stride_;
  bool with_exponents_;
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
    const std::int64_t row_bytes =
        (2 * a_.count() + 2) * std::max<std::int64_t>(1, problem_.terms()) * 8;
    const std::int64_t block = std::max<std::int64_t>(1, kPackedBytes / row_bytes);
    for (std::int64_t first = 0; first < problem_.a.rows(); first += block)
      run_rows(first, std::min(problem_.a.rows(), first + block));
  }

 private:
  using Rows = std::vector<std::unique_ptr<PackedRows>>;

  void run_rows(std::int64_t first, std::int64_t last) const {
    Rows rows(static_cast<std::size_t>(last - first));
    parallel_(last - first, [&](std::int64_t i) {
      std::vector<double> canonical;
      rows[static_cast<std::size_t>(i)] =
          std::make_unique<PackedRows>(problem_, a_, 1, program_.needs_exponents != 0);
      rows[static_cast<std::size_t>(i)]->pack(first + i, 0, canonical);
    });
    const std::int64_t panels = (problem_.b.rows() + kLanes - 1) / kLanes;
    const std::int64_t splits =
        std::min(last - first, (kWantedTasks + panels - 1) / std::max<std::int64_t>(1, panels));
    const std::int64_t share = (last - first + splits - 1) / std::max<std::int64_t>(1, splits);
    parallel_(panels * splits, [&](std::int64_t task) {
      const std::int64_t begin = task % splits * share;
      run_panel(task / splits, rows, first, begin, std::min(last - first, begin + share));
    });
  }

  void run_panel(std::int64_t index, const Rows& rows, std::int64_t first, std::int64_t begin,
                 std::int64_t end) const {
    const std::int64_t column = index * kLanes;
    const std::int64_t count = std::min(kLanes, problem_.b.rows() - column);
    PackedRows panel(problem_, b_, kLanes, program_.needs_exponents != 0);
    std::vector<double> canonical;
    for (std::int64_t lane = 0; lane < count; ++lane) panel.pack(column + lane, lane, canonical);
    AlignedArray<double> scratch(program_.scratch);
    for (std::int64_t i = begin; i < end; ++i)
      run_row(*rows[static_cast<std::size_t>(i)], panel, first + i, column, count, scratch.data());
  }

  void run_row(const PackedRows& a, const PackedRows& panel, std::int64_t row, std::int64_t column,
               std::int64_t count, double* scratch) const {
    alignas(64) double bias[kLanes] = {};
    alignas(64) double results[kLanes];
    unsigned key_low[kLanes] = {}, key_high[kLanes] = {};
    GeneralRow in{};
    in.a = a.values();
    in.a_exponents = a.exponents();
    in.a_scales = a.scales();
    in.a_scale_exponents = a.scale_exponents();
    in.panel = panel.values();
    in.panel_exponents = panel.exponents();
    in.panel_scales = panel.scales();
    in.panel_scale_exponents = panel.scale_exponents();
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
