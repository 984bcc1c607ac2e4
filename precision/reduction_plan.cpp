// SPDX-License-Identifier: Apache-2.0
#include "precision/reduction_plan.h"

#include <algorithm>
#include <stdexcept>

#include "precision/unit_text.h"

namespace npusim::precision {
namespace {

/// Walks the loop nest and reports each term (or padding) in order.
class OrderWalk {
 public:
  explicit OrderWalk(const ReductionPlan& plan) : plan_(plan) {
    strides_.assign(plan.dims.size(), 1);
    for (std::size_t i = plan.dims.size(); i-- > 1;)
      strides_[i - 1] = strides_[i] * plan.dims[i].extent;
    for (const ReduceDim& dim : plan.dims) blocks_.push_back({0, dim.extent});
  }

  std::vector<std::int64_t> run() {
    order_.reserve(static_cast<std::size_t>(plan_.terms()));
    loop(0);
    return std::move(order_);
  }

 private:
  struct Block {
    std::int64_t begin, size;  ///< size may reach past the end of the dimension when it is blocked
  };

  void loop(std::size_t depth) {
    if (depth == plan_.order.size()) return emit();
    const KLoop& level = plan_.order[depth];
    const auto dim = static_cast<std::size_t>(level.dim);
    const Block outer = blocks_[dim];
    const bool innermost = depth + 1 == plan_.order.size();
    const std::int64_t extent = plan_.dims[dim].extent;
    for (std::int64_t at = outer.begin; at < outer.begin + outer.size; at += level.block) {
      if (at >= extent) {
        if (!innermost || plan_.tail == Tail::pack) break;
        order_.push_back(-1);
        continue;
      }
      blocks_[dim] = {at, level.block};
      loop(depth + 1);
    }
    blocks_[dim] = outer;
  }

  void emit() {
    std::int64_t index = 0;
    for (std::size_t i = 0; i < blocks_.size(); ++i) index += blocks_[i].begin * strides_[i];
    order_.push_back(index);
  }

  const ReductionPlan& plan_;
  std::vector<std::int64_t> strides_;
  std::vector<Block> blocks_;
  std::vector<std::int64_t> order_;
};

/// Operands in the order of summation; padding terms are +0 with scale 1.
struct OrderedOperands {
  OrderedOperands(const std::vector<std::int64_t>& order, const Operands& from)
      : a(ordered(order, from.a, 0.0)),
        b(ordered(order, from.b, 0.0)),
        a_scales(ordered(order, from.a_scales, 1.0)),
        b_scales(ordered(order, from.b_scales, 1.0)) {}

  static std::vector<double> ordered(const std::vector<std::int64_t>& order, const double* values,
                                     double padding) {
    std::vector<double> result;
    if (values == nullptr) return result;
    result.reserve(order.size());
    for (const std::int64_t index : order) result.push_back(index < 0 ? padding : values[index]);
    return result;
  }

  Operands range(std::int64_t begin, std::int64_t end) const {
    const auto from = [begin](const std::vector<double>& values) {
      return values.empty() ? nullptr : values.data() + begin;
    };
    return {from(a), from(b), end - begin, from(a_scales), from(b_scales)};
  }

  std::vector<double> a, b, a_scales, b_scales;
};

class PlannedSum {
 public:
  PlannedSum(const MacUnit& unit, const ReductionPlan& plan, const OrderedOperands& operands,
             RandomKey key)
      : unit_(unit), plan_(plan), operands_(operands), random_{key, 0} {}

  /// reduce() of the header; init nullptr means none.
  double reduce(int level, std::int64_t begin, std::int64_t end, const double* init) {
    if (level < 0)
      return mac_chain(unit_, operands_.range(begin, end), init != nullptr ? *init : 0.0, random_);
    const Chunk& chunk = plan_.chunks[static_cast<std::size_t>(level)];
    double running = init != nullptr ? *init : 0.0;
    bool started = init != nullptr;
    for (std::int64_t at = begin; at < end; at += chunk.terms) {
      const std::int64_t stop = std::min(end, at + chunk.terms);
      if (chunk.join == Chunk::Join::carry) {
        running = reduce(level - 1, at, stop, started ? &running : nullptr);
        if (stop < end) running = round(running, chunk.arithmetic);
      } else {
        const double sum = reduce(level - 1, at, stop, nullptr);
        running = started ? add(running, sum, chunk.arithmetic) : round(sum, chunk.arithmetic);
      }
      started = true;
    }
    return running;
  }

  double add(double x, double y, const Arithmetic& arithmetic) {
    return rounded_sum(x, y, arithmetic, random_for(arithmetic));
  }

 private:
  std::uint32_t random_for(const Arithmetic& arithmetic) {
    return arithmetic.rounding == Rounding::sr ? random_.take() : 0;
  }
  double round(double x, const Arithmetic& arithmetic) {
    return round_to(x, arithmetic, random_for(arithmetic));
  }

  const MacUnit& unit_;
  const ReductionPlan& plan_;
  const OrderedOperands& operands_;
  RandomSequence random_;
};

/// Terms of the loop nest, padding included.
std::int64_t terms_before_deal(const ReductionPlan& plan) {
  if (plan.order.empty() || plan.tail == Tail::pack) return plan.terms();
  // Only the innermost loop pads: its dimension is rounded up to the block around it.
  const int inner = plan.order.back().dim;
  std::int64_t block = 0;
  for (const KLoop& loop : plan.order)
    if (loop.dim == inner && loop.block > 1) block = loop.block;
  const std::int64_t extent = plan.dims[static_cast<std::size_t>(inner)].extent;
  if (block == 0) return plan.terms();
  return plan.terms() / extent * ((extent + block - 1) / block * block);
}

/// The groups of each block, sum after sum.
std::vector<std::int64_t> dealt(const std::vector<std::int64_t>& order, const Deal& deal) {
  const auto terms = static_cast<std::int64_t>(order.size());
  std::vector<std::int64_t> result;
  for (std::int64_t begin = 0; begin < terms; begin += deal.block)
    for (std::int64_t sum = 0; sum < deal.sums; ++sum)
      for (std::int64_t at = sum * deal.group; at < deal.block; at += deal.sums * deal.group)
        for (std::int64_t i = begin + at; i < begin + at + deal.group; ++i)
          result.push_back(i < terms ? order[static_cast<std::size_t>(i)] : -1);
  return result;
}

}  // namespace

std::int64_t ReductionPlan::terms() const {
  std::int64_t terms = 1;
  for (const ReduceDim& dim : dims) terms *= dim.extent;
  return terms;
}

void validate(const ReductionPlan& plan, const MacUnit& unit) {
  std::string broken;
  const auto rule = [&](bool holds, const std::string& text) {
    if (!holds) broken += (broken.empty() ? "" : "; ") + text;
  };
  rule(!plan.dims.empty(), "a plan reduces at least one dimension");
  for (const ReduceDim& dim : plan.dims) rule(dim.extent >= 1, dim.name + ": extent below 1");
  std::vector<std::int64_t> last(plan.dims.size(), 0);
  for (const KLoop& loop : plan.order) {
    const bool known = loop.dim >= 0 && loop.dim < static_cast<int>(plan.dims.size());
    rule(known, "a loop over a dimension the plan does not have");
    rule(loop.block >= 1, "a loop with block below 1");
    if (!known || loop.block < 1) continue;
    std::int64_t& outer = last[static_cast<std::size_t>(loop.dim)];
    const std::string& name = plan.dims[static_cast<std::size_t>(loop.dim)].name;
    rule(outer == 0 || outer % loop.block == 0, name + ": blocks must divide the ones outside");
    rule(outer != 1, name + ": a loop inside block 1");
    outer = loop.block;
  }
  if (!plan.order.empty())
    for (std::size_t i = 0; i < last.size(); ++i)
      rule(last[i] == 1, plan.dims[i].name + ": needs a loop with block 1");
  std::int64_t inner = 1;
  for (const Chunk& chunk : plan.chunks) {
    rule(chunk.terms >= 1 && chunk.terms % inner == 0,
         "chunk sizes must be multiples of the one inside");
    inner = std::max<std::int64_t>(1, chunk.terms);
    rule(holds_sums(chunk.arithmetic),
         "chunk sums have at most 51 significand bits, or are binary64 with rne");
  }
  for (const Chunk& chunk : plan.chunks) {
    try {
      validate(chunk.arithmetic);
    } catch (const std::invalid_argument& error) {
      rule(false, error.what());
    }
  }
  if (plan.deal) {
    const Deal& deal = *plan.deal;
    rule(deal.sums >= 2 && deal.group >= 1 && deal.block >= 1 &&
             deal.block % (deal.sums * deal.group) == 0,
         "a deal has at least two sums, and blocks of whole rounds of groups");
    rule(!plan.chunks.empty() && plan.chunks.front().terms * deal.sums == deal.block,
         "the innermost chunk is one sum of a dealt block");
  }
  if (unit.scales && unit.scales->after_stages > 0)
    rule(plan.order.empty() && !plan.deal,
         "scales that join behind a stage need K in its own order");
  if (!plan.chunks.empty())
    rule(plan.chunks.front().terms % unit.block_terms() == 0,
         "chunks must hold whole blocks of the unit");
  if (!broken.empty()) throw std::invalid_argument("reduction plan: " + broken);
}

std::vector<std::int64_t> expand_order(const ReductionPlan& plan) {
  std::vector<std::int64_t> order;
  if (!plan.order.empty()) {
    order = OrderWalk(plan).run();
  } else {
    order.resize(static_cast<std::size_t>(plan.terms()));
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(i);
  }
  return plan.deal ? dealt(order, *plan.deal) : order;
}

std::int64_t ordered_terms(const ReductionPlan& plan) {
  const std::int64_t terms = terms_before_deal(plan);
  if (!plan.deal) return terms;
  return (terms + plan.deal->block - 1) / plan.deal->block * plan.deal->block;
}

std::string describe(const ReductionPlan& plan) {
  std::string text;
  for (const ReduceDim& dim : plan.dims)
    text += (text.empty() ? "" : ",") + dim.name + "=" + std::to_string(dim.extent);
  text += " |";
  if (plan.order.empty()) text += " canonical";
  for (const KLoop& loop : plan.order) {
    text += " " + plan.dims[static_cast<std::size_t>(loop.dim)].name;
    if (loop.block > 1) text += "/" + std::to_string(loop.block);
  }
  text += plan.tail == Tail::pad ? " pad" : " pack";
  if (plan.deal)
    text += " | deal " + std::to_string(plan.deal->block) + "/" + std::to_string(plan.deal->sums) +
            " by " + std::to_string(plan.deal->group);
  for (const Chunk& chunk : plan.chunks)
    text += " | " + std::to_string(chunk.terms) +
            (chunk.join == Chunk::Join::add ? " add " : " carry ") + describe(chunk.arithmetic);
  return text + (plan.bias == BiasEntry::preload ? " | bias preload" : " | bias after");
}

double planned_dot(const MacUnit& unit, const ReductionPlan& plan, const Operands& operands,
                   const double* bias, RandomKey key) {
  const std::vector<std::int64_t> order = expand_order(plan);
  const OrderedOperands ordered(order, operands);
  PlannedSum sum(unit, plan, ordered, key);
  const auto terms = static_cast<std::int64_t>(order.size());
  const int outermost = static_cast<int>(plan.chunks.size()) - 1;
  if (bias == nullptr) return sum.reduce(outermost, 0, terms, nullptr);
  const double entry = round_to(*bias, bias_arithmetic(unit));
  if (plan.bias == BiasEntry::preload) return sum.reduce(outermost, 0, terms, &entry);
  return sum.add(sum.reduce(outermost, 0, terms, nullptr), entry, unit.accumulator());
}

double planned_dot(const MacUnit& unit, const ReductionPlan& plan, const double* a, const double* b,
                   const double* bias) {
  return planned_dot(unit, plan, {a, b, plan.terms(), nullptr, nullptr}, bias);
}

Arithmetic bias_arithmetic(const MacUnit& unit) {
  Arithmetic arithmetic = unit.accumulator();
  if (arithmetic.rounding == Rounding::sr) arithmetic = {arithmetic.format, Rounding::rne, 0};
  if (unit.c) arithmetic.format = *unit.c;
  return arithmetic;
}

}  // namespace npusim::precision
