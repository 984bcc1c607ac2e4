// SPDX-License-Identifier: Apache-2.0
#include "base/object_reader.h"
#include "npu_models/cluster/cluster_spec.h"
#include "workloads/format_reader.h"

namespace npusim::npu {
namespace {

using workloads::ReductionAlgorithm;

constexpr base::IntegerRange kDevices{2, 1024};
constexpr base::NumberRange kBucketMib{0.0, 65536.0, true};

Interconnect read_interconnect(base::ObjectReader& reader) {
  Interconnect result;
  result.topology = reader.choice<ReductionAlgorithm>(
      "topology", {{name_of(ReductionAlgorithm::ring), ReductionAlgorithm::ring},
                   {name_of(ReductionAlgorithm::tree), ReductionAlgorithm::tree}});
  result.link_gb_per_s = reader.number("link_gb_per_s", base::kPositiveNumber);
  result.latency_us = reader.number("latency_us", base::kNonNegativeNumber);
  reader.finish();
  return result;
}

void read_gradients(base::ObjectReader& reader, ClusterSpec& cluster) {
  cluster.overlap = reader.boolean("overlap_backward", false);
  const double mib = reader.number("bucket_mib", kBucketMib, 25.0);
  cluster.bucket_bytes = static_cast<std::int64_t>(mib * 1048576.0);
  reader.finish();
}

}  // namespace

const char* name_of(Parallelism parallel) {
  return parallel == Parallelism::data ? "data" : "tensor";
}

workloads::GradientReduction ClusterSpec::reduction() const {
  workloads::GradientReduction result;
  result.devices = devices;
  result.algorithm = interconnect.topology;
  result.format = reduction_format;
  result.bucket_bytes = bucket_bytes;
  return result;
}

ClusterSpec load_cluster(const std::string& path, const std::vector<base::Override>& overrides) {
  base::Diagnostics diagnostics;
  const base::JsonValue document = base::load_config(path, "cluster", overrides, diagnostics);
  base::ObjectReader root(base::ValueReader(document, "", diagnostics));
  for (const char* header : {"schema_version", "kind"}) root.has(header);
  ClusterSpec cluster;
  cluster.name = root.string("name");
  cluster.description = root.string("description", "");
  root.string("source");
  cluster.devices = root.integer("devices", kDevices);
  cluster.parallel = root.choice<Parallelism>("parallel",
                                              {{name_of(Parallelism::data), Parallelism::data},
                                               {name_of(Parallelism::tensor), Parallelism::tensor}},
                                              Parallelism::data);
  if (auto section = root.object("interconnect"))
    cluster.interconnect = read_interconnect(*section);
  if (const auto format = root.optional("reduction_format"))
    cluster.reduction_format = workloads::read_format_with_rules(*format);
  cluster.bucket_bytes = std::int64_t{25} << 20;
  if (auto section = root.optional_object("gradients")) {
    read_gradients(*section, cluster);
    if (cluster.parallel == Parallelism::tensor)
      root.error("gradients", "illegal-combination",
                 "with tensor parallelism every device has gradients of its own weights only",
                 "\"parallel\": \"data\"");
  }
  root.finish();
  diagnostics.throw_if_any();
  cluster.resolved = document;
  return cluster;
}

}  // namespace npusim::npu
