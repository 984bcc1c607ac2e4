// SPDX-License-Identifier: Apache-2.0
// Which products of a graph tensor_parallel.h cuts, and along what.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "workloads/graph.h"

namespace npusim::workloads {

/// A cut of the last dimension: it consists of so many groups, of each of which every device has an
/// equal part (the columns of Q, K and V in one product are three groups).
using Groups = std::int64_t;

/// Two products (or several in front) that are cut together.
struct CutPair {
  std::map<int, Groups> columns;  ///< nodes: products cut by columns
  std::map<int, Groups> between;  ///< nodes: groups of their (first) result
  int row = -1;                   ///< node: the product cut by rows
};

class PairFinder {
 public:
  PairFinder(const Graph& graph, std::int64_t devices);
  std::vector<CutPair> run();

  /// The weight operand of a product with one; kNoTensor: it is no such product.
  TensorId weight_of(const Node& node) const;

 private:
  bool cut(TensorId tensor, Groups groups, CutPair& pair) const;
  bool cut_product(int node, Groups groups, CutPair& pair) const;
  bool cut_between(int node, Groups groups, CutPair& pair) const;
  bool is_vector(TensorId tensor, std::int64_t size) const;
  bool divides(std::int64_t extent, Groups groups) const;
  bool is_closed(const CutPair& pair) const;

  const Graph& graph_;
  std::int64_t devices_;
  std::vector<int> writer_;
  std::vector<std::vector<int>> readers_;
  std::vector<bool> is_output_;
  std::set<int> taken_;
};

}  // namespace npusim::workloads
