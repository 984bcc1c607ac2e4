// SPDX-License-Identifier: Apache-2.0
// Systolic arrays of R rows and C columns. What the dataflow keeps in the elements decides what
// rows and columns hold, what a tile costs (closed forms: systolic_stationary.cpp,
// systolic_output.cpp) and where K is cut.
#include <algorithm>

#include "npu_models/organisations/organisations.h"

namespace npusim::npu {
namespace {

class Systolic final : public Organisation {
 public:
  const std::string& name() const override {
    static const std::string text = "systolic";
    return text;
  }
  const std::string& description() const override {
    static const std::string text =
        "systolic array, weight-, input- or output-stationary: operands and sums move from element "
        "to element";
    return text;
  }
  std::int64_t pe_count(const MacArraySpec& array) const override {
    return array.rows * array.cols;
  }
  TileShape granule(const MacArraySpec& array) const override;
  /// A group of the accumulator stays together.
  std::int64_t k_step(const MacArraySpec& array) const override {
    return std::max<std::int64_t>(1, array.accumulator.stage.step);
  }
  bool adds_k_tiles(const MacArraySpec& array) const override {
    return array.dataflow == Dataflow::output_stationary;
  }
  TileCycles tile_cycles(const MacArraySpec& array, std::int64_t macs_per_pe,
                         std::int64_t latency_cycles, const TileShape& tile) const override;
  std::int64_t accumulator_accesses(const MacArraySpec& array, std::int64_t macs_per_pe,
                                    const TileShape& tile, bool resumes) const override;
  std::vector<precision::Chunk> chunks(const MacArraySpec& array,
                                       const precision::Arithmetic& accumulator) const override;
  OperandOrder operand_order(const MacArraySpec& array) const override;
  ReductionOrder default_order(const MacArraySpec&) const override { return {}; }
  std::vector<base::Diagnostic> check(const MacArraySpec& array) const override;
};

TileShape Systolic::granule(const MacArraySpec& array) const {
  switch (array.dataflow) {
    case Dataflow::weight_stationary:
      return {1, array.cols, array.rows};
    case Dataflow::input_stationary:
      return {array.cols, 1, array.rows};
    case Dataflow::output_stationary:
      return {array.rows * array.outputs_per_pe, array.cols,
              k_step(array) * array.partial_sums_per_output};
  }
  return {};
}

/// What stays enters a row of the array (one term) at a time, what streams meets all rows.
OperandOrder Systolic::operand_order(const MacArraySpec& array) const {
  switch (array.dataflow) {
    case Dataflow::weight_stationary:
      return {true, false};
    case Dataflow::input_stationary:
      return {false, true};
    case Dataflow::output_stationary:
      return {false, false};
  }
  return {};
}

TileCycles Systolic::tile_cycles(const MacArraySpec& array, std::int64_t macs_per_pe,
                                 std::int64_t latency_cycles, const TileShape& tile) const {
  switch (array.dataflow) {
    case Dataflow::weight_stationary:
      return stationary_cycles(array, macs_per_pe, latency_cycles, tile);
    case Dataflow::input_stationary:
      return stationary_cycles(array, macs_per_pe, latency_cycles, {tile.n, tile.m, tile.k});
    case Dataflow::output_stationary:
      return output_stationary_cycles(array, macs_per_pe, latency_cycles, tile);
  }
  return {};
}

/// A row of sums of all columns leaves (and under reinject_above re-enters) at a time.
std::int64_t Systolic::accumulator_accesses(const MacArraySpec& array, std::int64_t macs_per_pe,
                                            const TileShape& tile, bool resumes) const {
  if (array.dataflow == Dataflow::output_stationary) return 0;
  const bool weights_stay = array.dataflow == Dataflow::weight_stationary;
  const std::int64_t streamed = ceil_div(weights_stay ? tile.m : tile.n, macs_per_pe);
  const std::int64_t folds = ceil_div(weights_stay ? tile.n : tile.m, array.cols);
  return accesses_of(streamed * folds, ceil_div(tile.k, array.rows), 1, resumes);
}

std::vector<precision::Chunk> Systolic::chunks(const MacArraySpec& array,
                                               const precision::Arithmetic& accumulator) const {
  if (array.dataflow == Dataflow::output_stationary ||
      array.partial_sums == PartialSums::reinject_above)
    return {};
  return {{array.rows, precision::Chunk::Join::add, accumulator}};
}

std::vector<base::Diagnostic> Systolic::check(const MacArraySpec& array) const {
  std::vector<base::Diagnostic> mistakes;
  if (array.depth != 1) {
    mistakes.push_back(array_mistake(
        "/depth", "a systolic element adds one product a step, not " + std::to_string(array.depth),
        "1"));
  }
  if (!array.inner_stages.empty()) {
    mistakes.push_back(array_mistake(
        "/inner_stages", "a scalar systolic chain has no block to reduce before it accumulates",
        "no inner stages, or organisation cube or dot_product"));
  }
  const precision::Stage& accumulator = array.accumulator.stage;
  if (accumulator.combine == precision::Combine::aligned) {
    mistakes.push_back(array_mistake("/accumulator/combine",
                                     "a scalar systolic chain has no block to align",
                                     "chain or exact, or organisation cube or dot_product"));
  }
  const bool chained_in_space = array.dataflow != Dataflow::output_stationary;
  if (chained_in_space && accumulator.step > 1 && array.rows % accumulator.step != 0) {
    mistakes.push_back(array_mistake("/accumulator/step",
                                     "rows are added in groups of " +
                                         std::to_string(accumulator.step) + ", which must divide " +
                                         std::to_string(array.rows) + " rows",
                                     "a divisor of rows"));
  }
  return mistakes;
}

}  // namespace

const Organisation& systolic() {
  static const Systolic organisation;
  return organisation;
}

}  // namespace npusim::npu
