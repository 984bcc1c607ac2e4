// SPDX-License-Identifier: Apache-2.0
// Closed forms of collectives against every message stepped one by one, and cluster files.
#include "npu_models/cluster/collectives.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <vector>

#include "support.h"
#include "tests/source_dir.h"

namespace npusim::npu {
namespace {

using ::testing::HasSubstr;
using workloads::ReductionAlgorithm;

Interconnect net(ReductionAlgorithm topology) {
  return {topology, 20.0, 1.5};
}

double message(const Interconnect& i, std::int64_t bytes) {
  return i.latency_us * 1e-6 + static_cast<double>(bytes) / (i.link_gb_per_s * 1e9);
}

std::int64_t chunk_elements(std::int64_t elements, std::int64_t devices, std::int64_t chunk) {
  return elements / devices + (chunk < elements % devices ? 1 : 0);
}

struct Stepped {
  double seconds = 0.0;
  std::int64_t bytes = 0;
};

/// Device d may send in step s when it has sent in step s - 1 and has what it received then. In
/// step s it sends chunk (d - 1 - s): what it got in the step before.
Stepped step_ring(const Interconnect& i, std::int64_t n, std::int64_t elements, std::int64_t width,
                  std::int64_t steps) {
  Stepped result;
  std::vector<double> free(static_cast<std::size_t>(n), 0.0), arrived = free;
  for (std::int64_t s = 0; s < steps; ++s) {
    std::vector<double> next(static_cast<std::size_t>(n));
    for (std::int64_t d = 0; d < n; ++d) {
      const auto at = static_cast<std::size_t>(d);
      const std::int64_t chunk = (((d - 1 - s) % n) + n) % n;
      const std::int64_t bytes = chunk_elements(elements, n, chunk) * width;
      const double start = std::max(free[at], arrived[at]);
      free[at] = start + message(i, bytes);
      next[static_cast<std::size_t>((d + 1) % n)] = free[at];
      result.bytes += bytes;
      result.seconds = std::max(result.seconds, free[at]);
    }
    arrived = next;
  }
  return result;
}

/// Down a binomial tree, then up: a device sends when all its children's parts are there, and to
/// one after the other on the way up, the farthest first.
Stepped step_tree(const Interconnect& i, std::int64_t n, std::int64_t bytes) {
  Stepped result;
  std::vector<double> has(static_cast<std::size_t>(n), 0.0);
  std::int64_t top = 1;
  for (std::int64_t round = 1; round < n; round *= 2) {
    for (std::int64_t d = 0; d + round < n; d += 2 * round) {
      const auto to = static_cast<std::size_t>(d), from = static_cast<std::size_t>(d + round);
      has[to] = std::max(has[to], has[from]) + message(i, bytes);
      result.bytes += bytes;
    }
    top = round;
  }
  std::vector<double> sum(static_cast<std::size_t>(n), 0.0);
  sum[0] = has[0];
  for (std::int64_t round = top; round >= 1; round /= 2)
    for (std::int64_t d = 0; d + round < n; d += 2 * round) {
      const auto from = static_cast<std::size_t>(d), to = static_cast<std::size_t>(d + round);
      sum[from] += message(i, bytes);
      sum[to] = sum[from];
      result.bytes += bytes;
    }
  for (const double seconds : sum) result.seconds = std::max(result.seconds, seconds);
  return result;
}

RC_GTEST_PROP(CollectiveTimes, RingIsWhatItsMessagesTake, ()) {
  const std::int64_t n = *rc::gen::inRange<std::int64_t>(2, 33);
  const std::int64_t elements = *rc::gen::inRange<std::int64_t>(1, 100000);
  const std::int64_t width = *rc::gen::element<std::int64_t>(1, 2, 4);
  const Interconnect ring = net(ReductionAlgorithm::ring);
  const Stepped half = step_ring(ring, n, elements, width, n - 1);
  const Stepped whole = step_ring(ring, n, elements, width, 2 * (n - 1));
  const CollectiveCost scatter = reduce_scatter(ring, n, elements, width);
  const CollectiveCost cost = all_reduce(ring, n, elements, width);
  RC_ASSERT(std::fabs(scatter.seconds - half.seconds) <= 1e-12 * half.seconds);
  RC_ASSERT(std::fabs(cost.seconds - whole.seconds) <= 1e-12 * whole.seconds);
  RC_ASSERT(scatter.link_bytes == half.bytes);
  RC_ASSERT(all_gather(ring, n, elements, width).link_bytes == half.bytes);
  RC_ASSERT(cost.link_bytes == whole.bytes);
}

RC_GTEST_PROP(CollectiveTimes, TreeIsWhatItsMessagesTake, ()) {
  const std::int64_t n = *rc::gen::inRange<std::int64_t>(2, 65);
  const std::int64_t elements = *rc::gen::inRange<std::int64_t>(1, 100000);
  const Interconnect tree = net(ReductionAlgorithm::tree);
  const Stepped stepped = step_tree(tree, n, elements * 2);
  const CollectiveCost cost = all_reduce(tree, n, elements, 2);
  RC_ASSERT(std::fabs(cost.seconds - stepped.seconds) <= 1e-12 * stepped.seconds);
  RC_ASSERT(cost.link_bytes == stepped.bytes);
}

// 8 devices, 8 MiB, 20 GB/s: 14 messages of 1 MiB, or 6 of 8 MiB.
TEST(CollectiveTimes, ByHand) {
  const double mib = 1048576.0 / 20e9;
  EXPECT_NEAR(all_reduce(net(ReductionAlgorithm::ring), 8, 2 << 20, 4).seconds, 14 * (1.5e-6 + mib),
              1e-15);
  EXPECT_NEAR(all_reduce(net(ReductionAlgorithm::tree), 8, 2 << 20, 4).seconds,
              6 * (1.5e-6 + 8 * mib), 1e-15);
}

std::string cluster_file(const std::string& name) {
  return test::source_dir() + "/configs/clusters/" + name + ".json";
}

TEST(ClusterFile, ShippedOnesAreRead) {
  const ClusterSpec ring = load_cluster(cluster_file("ring4_bf16"));
  EXPECT_EQ(ring.devices, 4);
  EXPECT_EQ(ring.reduction_format, precision::bf16());
  EXPECT_TRUE(ring.overlap);
  EXPECT_EQ(ring.bucket_bytes, 25 << 20);
  EXPECT_EQ(load_cluster(cluster_file("tree4_bf16")).interconnect.topology,
            ReductionAlgorithm::tree);
  EXPECT_EQ(load_cluster(cluster_file("tree4_bf16")).interconnect.link_gb_per_s, 25.0);
  EXPECT_EQ(load_cluster(cluster_file("tensor4")).parallel, Parallelism::tensor);
}

TEST(ClusterFile, MistakesAreToldAtTheirPlace) {
  const auto mistake = [](const std::string& name, const std::string& from, const std::string& to) {
    try {
      load_cluster(testing::edited_copy(cluster_file(name), {{from, to}}));
    } catch (const base::InputError& error) {
      return error.diagnostics().front().pointer + ": " + error.what();
    }
    return std::string("accepted");
  };
  EXPECT_THAT(mistake("ring4", "\"devices\": 4", "\"devices\": 1"), HasSubstr("/devices: "));
  EXPECT_THAT(mistake("ring4", "\"latency_us\": 2", "\"latency\": 2"), HasSubstr("latency_us"));
  EXPECT_THAT(mistake("ring4", "\"ring\"", "\"star\""), HasSubstr("/interconnect/topology: "));
  EXPECT_THAT(mistake("ring4", "\"fp32\"", "\"fp33\""), HasSubstr("/reduction_format: "));
  EXPECT_THAT(mistake("ring4", "\"data\"", "\"tensor\""), HasSubstr("/gradients: "));
}

}  // namespace
}  // namespace npusim::npu
