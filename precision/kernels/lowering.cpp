// SPDX-License-Identifier: Apache-2.0
#include "precision/kernels/lowering.h"

#include <algorithm>
#include <cmath>

namespace npusim::precision::kernels {
namespace {

using Factor = Lowered::Factor;

/// The format that holds every slice; nullopt when they differ where it matters.
std::optional<Format> sliced(const Format& operand, const Slices& slices, bool exponents_matter) {
  if (slices.empty()) return operand;
  const Format& first = slices.front().format;
  const bool alike = std::all_of(slices.begin(), slices.end(),
                                 [&](const Arithmetic& slice) { return slice.format == first; });
  if (alike) return first;
  return exponents_matter ? std::nullopt : std::optional<Format>(operand);
}

bool aligns(const MacUnit& unit) {
  return std::any_of(unit.stages.begin(), unit.stages.end(),
                     [](const Stage& stage) { return stage.combine == Combine::aligned; });
}

/// The products of the terms [begin, end) as MacEvaluation makes them.
void append_factors(const MacUnit& unit, const std::vector<std::int64_t>& order, std::int64_t begin,
                    std::int64_t end, std::vector<Factor>& factors) {
  const std::int64_t block = unit.block_terms();
  const std::int64_t padded = (end - begin + block - 1) / block * block;
  std::vector<std::pair<int, int>> passes = unit.passes.order;
  if (passes.empty()) passes.emplace_back(0, 0);
  const auto count = static_cast<std::int64_t>(passes.size());
  const auto first = factors.size();
  for (std::int64_t i = 0; i < padded * count; ++i) {
    const std::int64_t term = begin + (unit.passes.innermost ? i / count : i % padded);
    const auto pass = static_cast<std::size_t>(unit.passes.innermost ? i % count : i / padded);
    const std::int64_t k = term < end ? order[static_cast<std::size_t>(term)] : -1;
    factors.push_back({k, passes[pass].first, passes[pass].second});
  }
  const std::size_t permuted = unit.order.size();
  if (permuted == 0) return;
  const std::vector<Factor> before(factors.begin() + static_cast<std::ptrdiff_t>(first),
                                   factors.end());
  for (std::size_t i = 0; i < before.size(); ++i)
    factors[first + i] =
        before[i - i % permuted + static_cast<std::size_t>(unit.order[i % permuted])];
}

/// slice_of for a row: what is left of it goes from one slice on to the next.
void take_slices(const Slices& slices, std::size_t k, double* parts) {
  std::vector<double> rest(parts, parts + (slices.empty() ? 0 : k));
  for (std::size_t s = 0; s < slices.size(); ++s) {
    double* const part = parts + s * k;
    round_array(rest.data(), part, static_cast<long>(k), slices[s]);
    for (std::size_t i = 0; i < k; ++i)
      rest[i] = std::isfinite(part[i]) && std::isfinite(rest[i]) ? rest[i] - part[i] : 0.0;
  }
}

}  // namespace

std::optional<Lowered> lowered(const MacUnit& unit, const ReductionPlan& plan) {
  const bool plain =
      unit.passes.order.empty() && unit.order.empty() && !unit.flush_a && !unit.flush_b;
  if (plain || unit.scales) return std::nullopt;
  const auto a = sliced(unit.a, unit.slices_a, aligns(unit));
  const auto b = sliced(unit.b, unit.slices_b, aligns(unit));
  if (!a || !b) return std::nullopt;

  Lowered result{unit, {}, {}};
  result.unit.a = *a;
  result.unit.b = *b;
  result.unit.flush_a = result.unit.flush_b = false;
  result.unit.order.clear();
  result.unit.passes = {};
  result.unit.slices_a.clear();
  result.unit.slices_b.clear();

  const std::vector<std::int64_t> order = expand_order(plan);
  const auto terms = static_cast<std::int64_t>(order.size());
  const std::int64_t chunk =
      plan.chunks.empty() ? std::max<std::int64_t>(1, terms) : plan.chunks.front().terms;
  for (std::int64_t at = 0; at < terms; at += chunk)
    append_factors(unit, order, at, std::min(terms, at + chunk), result.factors);
  result.plan.dims = {{"K", static_cast<std::int64_t>(result.factors.size())}};
  result.plan.bias = plan.bias;
  result.plan.chunks = plan.chunks;
  for (Chunk& cut : result.plan.chunks) cut.terms *= unit.passes.count();
  return result;
}

void LoweredRows::read(std::int64_t row, double* values) const {
  const bool is_a = side_ == Side::a;
  const Slices& slices = is_a ? unit_.slices_a : unit_.slices_b;
  const Format& format = is_a ? unit_.a : unit_.b;
  const bool flush = is_a ? unit_.flush_a : unit_.flush_b;
  const std::size_t count = std::max<std::size_t>(1, slices.size());
  const auto k = static_cast<std::size_t>(k_);
  std::vector<double> parts(count * k);
  rows_.read(row, parts.data());
  for (std::size_t i = 0; i < k && flush; ++i) parts[i] = without_subnormals(parts[i], format);
  take_slices(slices, k, parts.data());
  for (std::size_t i = 0; i < to_.factors.size(); ++i) {
    const Factor& factor = to_.factors[i];
    const auto slice = static_cast<std::size_t>(is_a ? factor.a_slice : factor.b_slice);
    values[i] = factor.k < 0 ? 0.0 : parts[slice * k + static_cast<std::size_t>(factor.k)];
  }
}

}  // namespace npusim::precision::kernels
