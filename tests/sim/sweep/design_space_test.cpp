// SPDX-License-Identifier: Apache-2.0
#include "sim/sweep/design_space.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "tests/sim/sweep/support.h"

namespace npusim::sim {
namespace {

using testing::SweepFolder;

std::string text(const Assignment& assignment) {
  return base::dump_json(json_of(assignment), -1);
}

TEST(DesignSpace, AGridIsEveryCombinationTheLastAxisFastest) {
  const Sweep sweep = SweepFolder().sweep(R"("axes": [
    {"path": ["npu.mac_array.rows", "npu.mac_array.cols"], "values": [64, 128]},
    {"path": "npu.clock_mhz", "from": 100, "to": 400, "count": 3, "scale": "log", "integer": true}])");
  const DesignSpace space(sweep);
  ASSERT_EQ(space.size(), 6);
  EXPECT_EQ(text(space.at(0)),
            R"({"npu.mac_array.rows":64,"npu.mac_array.cols":64,"npu.clock_mhz":100})");
  EXPECT_EQ(text(space.at(1)),
            R"({"npu.mac_array.rows":64,"npu.mac_array.cols":64,"npu.clock_mhz":200})");
  EXPECT_EQ(text(space.at(5)),
            R"({"npu.mac_array.rows":128,"npu.mac_array.cols":128,"npu.clock_mhz":400})");
  for (std::int64_t i = 0; i < space.size(); ++i)
    EXPECT_EQ(space.index_of(space.coordinates_of(i)), i);
}

TEST(DesignSpace, AListIsItsPoints) {
  const Sweep sweep = SweepFolder().sweep(
      R"("search": {"method": "list"}, "points": [{"npu.clock_mhz": 1}, {"npu": "cube16_fp16"}])");
  const DesignSpace space(sweep);
  ASSERT_EQ(space.size(), 2);
  EXPECT_EQ(text(space.at(1)), R"({"npu":"cube16_fp16"})");
}

TEST(DesignSpace, RandomPointsAreSpreadAndRepeat) {
  const std::string members =
      R"("search": {"method": "random", "samples": 4000, "seed": 3}, "axes": [
    {"path": "npu.clock_mhz", "from": 100, "to": 300},
    {"path": "npu.mac_array.rows", "from": 1, "to": 4, "integer": true},
    {"path": "npu.mac_array.cols", "values": [16, 32]}])";
  const SweepFolder folder;
  const Sweep sweep = folder.sweep(members), again = folder.sweep(members);
  const DesignSpace space(sweep), same(again);
  double sum = 0.0;
  std::map<std::int64_t, int> rows, cols;
  for (std::int64_t i = 0; i < space.size(); ++i) {
    const Assignment point = space.at(i);
    EXPECT_EQ(text(point), text(same.at(i)));
    const double clock = point[0].value.number();
    EXPECT_TRUE(clock >= 100.0 && clock < 300.0);
    sum += clock;
    ++rows[point[1].value.integer()];
    ++cols[point[2].value.integer()];
  }
  EXPECT_NEAR(sum / 4000.0, 200.0, 5.0);  // five standard errors of the mean
  ASSERT_EQ(rows.size(), 4u);
  for (const auto& [value, count] : rows) EXPECT_NEAR(count, 1000, 140) << value;
  ASSERT_EQ(cols.size(), 2u);
  for (const auto& [value, count] : cols) EXPECT_NEAR(count, 2000, 160) << value;
}

TEST(DesignSpace, ALatinHypercubeHasOnePointInEachCutOfEachAxis) {
  const Sweep sweep = SweepFolder().sweep(
      R"("search": {"method": "latin_hypercube", "samples": 50, "seed": 1}, "axes": [
    {"path": "npu.clock_mhz", "from": 0, "to": 50},
    {"path": "npu.dram.bandwidth_gb_per_s", "from": 1, "to": 1024, "scale": "log"}])");
  const DesignSpace space(sweep);
  std::set<int> cuts[2];
  for (std::int64_t i = 0; i < space.size(); ++i) {
    const Assignment point = space.at(i);
    cuts[0].insert(static_cast<int>(point[0].value.number()));
    cuts[1].insert(static_cast<int>(std::log2(point[1].value.number()) * 5.0));
  }
  EXPECT_EQ(cuts[0].size(), 50u);
  EXPECT_EQ(cuts[1].size(), 50u);
}

TEST(DesignSpace, KnowsItsMembers) {
  const std::string axes = R"("axes": [
    {"path": ["npu.mac_array.rows", "npu.mac_array.cols"], "values": [64, 128]},
    {"path": "npu.clock_mhz", "from": 100, "to": 400, "count": 3}])";
  const SweepFolder folder;
  for (const std::string& members :
       {axes, R"("search": {"method": "latin_hypercube", "samples": 5}, )" + axes,
        std::string(R"("search": {"method": "list"}, "points": [{"npu.clock_mhz": 1}, {}])")}) {
    const Sweep sweep = folder.sweep(members);
    const SpaceMembers space_members(sweep);
    const DesignSpace space(sweep);
    for (std::int64_t i = 0; i < space.size(); ++i) {
      const Assignment point = space.at(i);
      EXPECT_TRUE(space_members.has(assignment_of(base::parse_json(text(point), "-"))));
      Assignment longer = point, other = point;
      longer.push_back({"npu.launch_cycles", base::JsonValue::make_integer(1)});
      EXPECT_FALSE(space_members.has(longer));
      if (point.empty()) continue;
      other.back().value = base::JsonValue::make_integer(77);
      EXPECT_FALSE(space_members.has(other));
      other = point;
      other.front().value = base::JsonValue::make_integer(
          point.size() > 1 && point[0].value.integer() == 64 ? 128 : 64);
      EXPECT_FALSE(space_members.has(other)) << "rows and cols are one axis";
    }
  }
}

}  // namespace
}  // namespace npusim::sim
