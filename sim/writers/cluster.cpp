// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "sim/writers/writers.h"

namespace npusim::sim {

using base::JsonValue;

JsonValue json_of(const ClusterTiming& t) {
  JsonValue object = JsonValue::make_object();
  object.set("name", t.cluster);
  object.set("devices", t.devices);
  object.set("parallel", t.parallel);
  object.set("topology", t.topology);
  object.set("overlap_backward", t.overlap);
  object.set("device_seconds", t.device_seconds);
  object.set("collective_seconds", t.collective_seconds);
  object.set("exposed_seconds", t.exposed_seconds);
  object.set("step_seconds", t.step_seconds);
  object.set("samples_per_s", t.samples_per_s);
  object.set("scaling_efficiency", t.scaling_efficiency
                                       ? JsonValue::make_real(*t.scaling_efficiency)
                                       : JsonValue::make_null());
  object.set("link_bytes", t.link_bytes);
  JsonValue collectives = JsonValue::make_array();
  for (const CollectiveRun& run : t.collectives) {
    JsonValue item = JsonValue::make_object();
    item.set("node", run.node);
    item.set("tensors", run.tensors);
    item.set("bytes", run.bytes);
    item.set("ready_seconds", run.ready_seconds);
    item.set("start_seconds", run.start_seconds);
    item.set("end_seconds", run.end_seconds);
    collectives.push_back(std::move(item));
  }
  object.set("collectives", std::move(collectives));
  return object;
}

std::string text_of(const ClusterTiming& t) {
  const std::string efficiency = t.scaling_efficiency ? fmt::format(", scaling efficiency {:.1f} %",
                                                                    *t.scaling_efficiency * 100.0)
                                                      : "";
  return fmt::format(
      "{} devices ({}, {} parallel, {}{}): step {:.4f} ms, of which collectives {:.4f} ms ({:.4f} "
      "ms "
      "in all, {:.2f} MB over the links); {:.1f} samples/s{}",
      t.devices, t.cluster, t.parallel, t.topology, t.overlap ? ", overlapped with backward" : "",
      t.step_seconds * 1e3, t.exposed_seconds * 1e3, t.collective_seconds * 1e3,
      static_cast<double>(t.link_bytes) / 1e6, t.samples_per_s, efficiency);
}

}  // namespace npusim::sim
