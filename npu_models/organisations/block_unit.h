// SPDX-License-Identifier: Apache-2.0
// Arrays of rows x cols outputs that each take `depth` terms a step: cube, dot product, tensor
// core, SIMD. What they share; a sum runs through all of K, so nothing cuts it.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "npu_models/organisations/organisations.h"

namespace npusim::npu {

class BlockUnit : public Organisation {
 public:
  BlockUnit(std::string name, std::string description)
      : name_(std::move(name)), description_(std::move(description)) {}
  const std::string& name() const override { return name_; }
  const std::string& description() const override { return description_; }
  std::int64_t pe_count(const MacArraySpec& array) const override {
    return array.rows * array.cols * array.depth;
  }
  std::int64_t k_step(const MacArraySpec& array) const override { return array.depth; }
  std::vector<precision::Chunk> chunks(const MacArraySpec&,
                                       const precision::Arithmetic&) const override {
    return {};
  }
  /// One term a step is an outer product of a column and a row.
  OperandOrder operand_order(const MacArraySpec& array) const override {
    return {array.depth > 1, array.depth > 1};
  }
  ReductionOrder default_order(const MacArraySpec& array) const override {
    return channel_block_order(array.depth);
  }
  /// The stages before the accumulator reduce exactly `depth` terms.
  std::vector<base::Diagnostic> check(const MacArraySpec& array) const override;

 private:
  std::string name_, description_;
};

}  // namespace npusim::npu
