// SPDX-License-Identifier: Apache-2.0
// What the engines did when, as a file of Chrome's trace event format (Perfetto opens it): a track
// for each DMA engine, the MAC arrays (identical ones are simulated once), the vector unit and the
// host, counters of DRAM bandwidth and of what on-chip buffers hold. Only what touches a window of
// cycles is kept, and of that the first kMostEvents; `truncated` then says so in the file. Times
// are microseconds of the NPU's clock.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "npu_models/mapping.h"

namespace npusim::npu::model {

enum class Track { load, store, array, vector, host };
inline constexpr std::size_t kTracks = 5;

struct TraceWindow {
  std::int64_t begin_cycle = 0, end_cycle = 0;
};

/// How much of a resource is taken; changes may come out of order.
struct Occupancy {
  struct Change {
    std::int64_t moment, amount;
  };
  std::string name;
  std::vector<Change> changes;
};

class Trace {
 public:
  static constexpr std::size_t kMostEvents = 500'000;

  explicit Trace(const TraceWindow& window) : window_(window) {}
  /// [begin, end) in thousandths of a cycle.
  void add(Track track, int op, std::int64_t begin, std::int64_t end, std::int64_t bytes);
  /// A counter of this name, to be filled from outside; lives as long as the trace.
  Occupancy& counter(const std::string& name);
  std::string json(const NpuSpec& npu, const MappedGraph& mapped) const;

 private:
  struct Event {
    Track track;
    int op;
    std::int64_t begin, end, bytes;
  };
  void append_counters(std::string& text, double microseconds) const;
  void append_bandwidth(std::string& text, const NpuSpec& npu, Track track) const;
  bool touches(std::int64_t begin, std::int64_t end) const;

  TraceWindow window_;
  std::vector<Event> events_;
  std::vector<std::unique_ptr<Occupancy>> counters_;
  bool truncated_ = false;
};

}  // namespace npusim::npu::model
