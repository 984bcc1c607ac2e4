// SPDX-License-Identifier: Apache-2.0
#include "npu_models/modules/trace.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/json_value.h"

namespace npusim::npu::model {
namespace {

constexpr std::int64_t kPerCycle = 1000;
constexpr std::int64_t kBandwidthSteps = 500;

const char* name_of(Track track) {
  constexpr std::array<const char*, kTracks> kNames = {"load DMA", "store DMA", "MAC arrays",
                                                       "vector unit", "host"};
  return kNames[static_cast<std::size_t>(track)];
}

std::string quoted(const std::string& text) {
  return base::dump_json(base::JsonValue::make_string(text), -1);
}

std::string number(double value) {
  return base::dump_json(base::JsonValue::make_real(value), -1);
}

void append_metadata(std::string& text, const char* what, int thread, const std::string& name) {
  text += "{\"ph\":\"M\",\"pid\":1,\"tid\":" + std::to_string(thread) + ",\"name\":\"" + what +
          "\",\"args\":{\"name\":" + quoted(name) + "}},\n";
}

void append_count(std::string& text, const std::string& name, double ts, double value) {
  text += "{\"ph\":\"C\",\"pid\":1,\"name\":" + quoted(name) + ",\"ts\":" + number(ts) +
          ",\"args\":{\"value\":" + number(value) + "}},\n";
}

}  // namespace

bool Trace::touches(std::int64_t begin, std::int64_t end) const {
  return end > window_.begin_cycle * kPerCycle && begin / kPerCycle < window_.end_cycle;
}

void Trace::add(Track track, int op, std::int64_t begin, std::int64_t end, std::int64_t bytes) {
  if (end <= begin || !touches(begin, end)) return;
  if (events_.size() == kMostEvents) {
    truncated_ = true;
    return;
  }
  events_.push_back({track, op, begin, end, bytes});
}

Occupancy& Trace::counter(const std::string& name) {
  counters_.push_back(std::make_unique<Occupancy>());
  counters_.back()->name = name;
  return *counters_.back();
}

/// Average over even steps of what was traced.
void Trace::append_bandwidth(std::string& text, const NpuSpec& npu, Track track) const {
  std::int64_t first = INT64_MAX, last = 0;
  for (const Event& event : events_) {
    first = std::min(first, event.begin);
    last = std::max(last, event.end);
  }
  if (first >= last) return;
  const std::int64_t step = (last - first + kBandwidthSteps - 1) / kBandwidthSteps;
  std::vector<double> bytes(static_cast<std::size_t>((last - first + step - 1) / step), 0.0);
  for (const Event& event : events_) {
    if (event.track != track) continue;
    const double rate =
        static_cast<double>(event.bytes) / static_cast<double>(event.end - event.begin);
    for (std::int64_t at = event.begin; at < event.end;) {
      const std::int64_t index = (at - first) / step;
      const std::int64_t next = std::min(event.end, first + (index + 1) * step);
      bytes[static_cast<std::size_t>(index)] += rate * static_cast<double>(next - at);
      at = next;
    }
  }
  const double per_us = 1.0 / (npu.clock_mhz * static_cast<double>(kPerCycle));
  const std::string name = track == Track::load ? "DRAM read GB/s" : "DRAM write GB/s";
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const double at = static_cast<double>(first + static_cast<std::int64_t>(i) * step);
    append_count(text, name, at * per_us, bytes[i] / (static_cast<double>(step) * per_us) * 1e-3);
  }
}

void Trace::append_counters(std::string& text, double microseconds) const {
  for (const std::unique_ptr<Occupancy>& counter : counters_) {
    std::vector<Occupancy::Change> changes = counter->changes;
    std::stable_sort(changes.begin(), changes.end(),
                     [](const auto& a, const auto& b) { return a.moment < b.moment; });
    std::int64_t held = 0;
    for (std::size_t i = 0; i < changes.size(); ++i) {
      held += changes[i].amount;
      const bool last_of_moment =
          i + 1 == changes.size() || changes[i + 1].moment > changes[i].moment;
      if (last_of_moment && touches(changes[i].moment, changes[i].moment + 1))
        append_count(text, counter->name, static_cast<double>(changes[i].moment) * microseconds,
                     static_cast<double>(held));
    }
  }
}

std::string Trace::json(const NpuSpec& npu, const MappedGraph& mapped) const {
  const double microseconds = 1.0 / (npu.clock_mhz * static_cast<double>(kPerCycle));
  std::string text =
      "{\"displayTimeUnit\":\"ns\",\"otherData\":{\"npu\":" + quoted(npu.name) +
      ",\"workload\":" + quoted(mapped.graph.name) + ",\"clock_mhz\":" + number(npu.clock_mhz) +
      ",\"truncated\":" + (truncated_ ? "true" : "false") +
      (mapped.stand_ins.empty() ? "" : ",\"hypothetical\":true") + "},\n\"traceEvents\":[\n";
  append_metadata(text, "process_name", 0,
                  npu.name + (mapped.stand_ins.empty() ? "" : " (hypothetical)"));
  for (std::size_t i = 0; i < kTracks; ++i)
    append_metadata(text, "thread_name", static_cast<int>(i) + 1, name_of(static_cast<Track>(i)));
  for (const Event& event : events_) {
    const MappedOp& op = mapped.ops[static_cast<std::size_t>(event.op)];
    const workloads::Node& node = mapped.graph.nodes[static_cast<std::size_t>(op.node)];
    text += "{\"ph\":\"X\",\"pid\":1,\"tid\":" + std::to_string(static_cast<int>(event.track) + 1) +
            ",\"name\":" + quoted(node.name) + ",\"cat\":" + quoted(node.op) +
            ",\"ts\":" + number(static_cast<double>(event.begin) * microseconds) +
            ",\"dur\":" + number(static_cast<double>(event.end - event.begin) * microseconds) +
            ",\"args\":{\"cycle\":" + std::to_string(event.begin / kPerCycle);
    if (event.bytes > 0) text += ",\"bytes\":" + std::to_string(event.bytes);
    text += "}},\n";
  }
  append_bandwidth(text, npu, Track::load);
  append_bandwidth(text, npu, Track::store);
  append_counters(text, microseconds);
  text.erase(text.size() - 2, 1);  // the last comma
  return text + "]}\n";
}

}  // namespace npusim::npu::model
