// SPDX-License-Identifier: Apache-2.0
#include "sim/sweep/refinement.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "sim/sweep/front.h"
#include "tests/sim/sweep/support.h"

namespace npusim::sim {
namespace {

using testing::outcome;
using testing::SweepFolder;

struct Search {
  std::vector<StoredPoint> points;
  std::set<std::string> front;
  std::set<std::int64_t> indices;
};

/// Runs a source to its end; outcomes come back `batch` at a time, last in first out.
Search search(const Sweep& sweep, std::size_t batch,
              const std::function<PointOutcome(const Assignment&)>& evaluate) {
  const auto source = make_source(sweep);
  Search found;
  std::vector<std::int64_t> running;
  for (;;) {
    std::optional<std::int64_t> index;
    while (running.size() < batch && (index = source->next())) running.push_back(*index);
    if (running.empty()) break;
    const std::int64_t last = running.back();
    running.pop_back();
    EXPECT_TRUE(found.indices.insert(last).second) << "point " << last << " twice";
    const Assignment assignment = source->assignment(last);
    found.points.push_back({assignment, evaluate(assignment)});
    source->done(last, found.points.back().outcome);
  }
  EXPECT_TRUE(source->exhausted());
  const std::vector<bool> front = front_of(sweep, found.points);
  for (std::size_t i = 0; i < found.points.size(); ++i)
    if (front[i]) found.front.insert(base::dump_json(json_of(found.points[i].assignment), -1));
  return found;
}

/// Convex in x and y, with a penalty for one of the names: time falls with x, energy rises.
PointOutcome smooth(const Assignment& point) {
  const double x = point[0].value.number(), y = point[1].value.number();
  const double name = point[2].value.string() == "bf16" ? 0.0 : 50.0;
  const double bend = (y - 23.0) * (y - 23.0);
  return outcome("", {{"seconds", 1000.0 / (1.0 + x) + bend + name},
                      {"energy_mj", 10.0 * x + bend + name},
                      {"power_w", x}});
}

std::string axes() {
  return R"("axes": [
    {"path": "npu.clock_mhz", "from": 0, "to": 40, "count": 41, "integer": true},
    {"path": "npu.launch_cycles", "from": 0, "to": 40, "count": 41, "integer": true},
    {"path": "recipe", "values": ["fp32", "bf16"]}], "objectives": ["seconds", "energy_mj"])";
}

TEST(Refinement, FindsTheFrontOfTheWholeGridWithAFractionOfItsPoints) {
  const SweepFolder folder;
  const Search all = search(folder.sweep(axes()), 1, smooth);
  ASSERT_EQ(all.points.size(), 41u * 41u * 2u);
  const Sweep sweep =
      folder.sweep(axes() + R"(, "search": {"method": "grid", "refine": {"stride": 8}})");
  const Search refined = search(sweep, 1, smooth);
  EXPECT_EQ(refined.front, all.front);
  EXPECT_LT(refined.points.size(), all.points.size() / 5);
}

TEST(Refinement, TakesTheSamePointsWhateverTheOrderInWhichTheyFinish) {
  const Sweep sweep =
      SweepFolder().sweep(axes() + R"(, "search": {"method": "grid", "refine": {"stride": 8}})");
  const Search one = search(sweep, 1, smooth);
  for (const std::size_t batch : {2u, 7u, 1000u})
    EXPECT_EQ(search(sweep, batch, smooth).indices, one.indices);
}

TEST(Refinement, GoesOnUntilSomethingKeepsTheConstraints) {
  const Sweep sweep =
      SweepFolder().sweep(axes() + R"(, "search": {"method": "grid", "refine": {"stride": 16}},
                   "constraints": [{"metric": "power_w", "at_least": 3, "at_most": 3}])");
  const Search found = search(sweep, 3, smooth);
  EXPECT_EQ(found.front, std::set<std::string>(
                             {R"({"npu.clock_mhz":3,"npu.launch_cycles":23,"recipe":"bf16"})"}));
}

}  // namespace
}  // namespace npusim::sim
