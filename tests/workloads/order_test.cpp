// SPDX-License-Identifier: Apache-2.0
#include "workloads/order.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <set>

namespace npusim::workloads {
namespace {

TEST(TopologicalOrder, KeepsAnOrderThatIsOne) {
  EXPECT_EQ(topological_order({{}, {0}, {}, {2, 1}, {0}}).order, (std::vector<int>{0, 1, 2, 3, 4}));
}

TEST(TopologicalOrder, MovesOnlyWhatMustMove) {
  EXPECT_EQ(topological_order({{2}, {}, {}}).order, (std::vector<int>{1, 2, 0}));
}

TEST(TopologicalOrder, CountsRepeatedNeeds) {
  EXPECT_EQ(topological_order({{1, 1}, {}}).order, (std::vector<int>{1, 0}));
}

TEST(TopologicalOrder, NamesACycleWithoutItsTails) {
  // 3 -> 1 -> 2 -> 1: thing 3 only hangs on the cycle, thing 0 is fine.
  const TopologicalOrder result = topological_order({{}, {2}, {1, 0}, {1}});
  EXPECT_EQ(std::set<int>(result.cycle.begin(), result.cycle.end()), (std::set<int>{1, 2}));
  EXPECT_EQ(result.order, (std::vector<int>{0}));
}

TEST(TopologicalOrder, FindsASelfLoop) {
  EXPECT_EQ(topological_order({{0}}).cycle, (std::vector<int>{0}));
}

RC_GTEST_PROP(TopologicalOrderProperty, EveryNeedComesFirst, ()) {
  const int count = *rc::gen::inRange(1, 30);
  std::vector<int> hidden(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) hidden[static_cast<std::size_t>(i)] = i;
  for (int i = count - 1; i > 0; --i)
    std::swap(hidden[static_cast<std::size_t>(i)],
              hidden[static_cast<std::size_t>(*rc::gen::inRange(0, i + 1))]);
  std::vector<std::vector<int>> needs(static_cast<std::size_t>(count));
  for (int i = 1; i < count; ++i)
    for (int edges = *rc::gen::inRange(0, 3); edges > 0; --edges)
      needs[static_cast<std::size_t>(hidden[static_cast<std::size_t>(i)])].push_back(
          hidden[static_cast<std::size_t>(*rc::gen::inRange(0, i))]);
  const TopologicalOrder result = topological_order(needs);
  RC_ASSERT(result.cycle.empty());
  RC_ASSERT(result.order.size() == static_cast<std::size_t>(count));
  std::vector<int> place(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i)
    place[static_cast<std::size_t>(result.order[static_cast<std::size_t>(i)])] = i;
  for (std::size_t i = 0; i < needs.size(); ++i)
    for (const int before : needs[i]) RC_ASSERT(place[static_cast<std::size_t>(before)] < place[i]);
}

}  // namespace
}  // namespace npusim::workloads
