// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "npu_models/cluster/collectives.h"
#include "sim/writers/text_table.h"
#include "tools/describe/describe.h"
#include "tools/describe/page.h"

namespace npusim::tools {

std::string describe_cluster(const std::string& file) {
  const npu::ClusterSpec cluster = npu::load_cluster(file);
  Page page("cluster " + cluster.name, cluster.description);
  page.fact("file", file);
  page.fact("source", cluster.resolved.find("source")->string());
  page.fact("devices", std::to_string(cluster.devices));
  page.fact("parallel", npu::name_of(cluster.parallel));
  page.fact("topology", workloads::name_of(cluster.interconnect.topology));
  page.fact("link",
            fmt::format("{:g} GB/s in each direction, {:g} us a message",
                        cluster.interconnect.link_gb_per_s, cluster.interconnect.latency_us));
  page.fact("sums travel in", cluster.reduction_format ? cluster.reduction_format->name
                                                       : "the format of what is summed");
  if (cluster.parallel == npu::Parallelism::data)
    page.fact("gradients", fmt::format("buckets of {}, {}", bytes_text(cluster.bucket_bytes),
                                       cluster.overlap ? "while the backward pass goes on"
                                                       : "when the backward pass has ended"));
  sim::TextTable table;
  for (const char* number : {"MiB on each device", "all-reduce [us]", "steps", "GB/s"})
    table.column(number, true);
  for (const std::int64_t mib : {1, 16, 256}) {
    const std::int64_t bytes = mib << 20;
    const npu::CollectiveCost cost =
        npu::all_reduce(cluster.interconnect, cluster.devices, bytes / 4, 4);
    table.row({std::to_string(mib), fmt::format("{:.1f}", cost.seconds * 1e6),
               std::to_string(cost.steps),
               fmt::format("{:.1f}", static_cast<double>(bytes) / cost.seconds / 1e9)});
  }
  page.table("All-reduce", table);
  return page.text();
}

}  // namespace npusim::tools
