// SPDX-License-Identifier: Apache-2.0
// When DRAM serves a descriptor, in closed form. Descriptors are served in the order of their
// requests; one requested at t transfers from
//   start = max(t + latency, end of the one before)   to   end = start + bytes / bandwidth.
// With DramTiming (npu_spec.h), as in memory controllers that stripe addresses over channels
// (JEDEC JESD79-4 names the parameters), in picoseconds of sim_time.h:
//   data     whole bursts, dealt round robin over the channels, which work in lockstep: the longest
//            share, ceil(bursts / channels), at a channel's part of the bandwidth
//   rows     a row of all channels is row_bytes * channels addresses; row r lies in bank r % banks,
//            which keeps it open. A descriptor whose first row is closed waits for its opening
//            after the one before when both lie in one bank, else the row opens while that one
//            transfers (from t on). Each further closed row opens while the row before it transfers
//            and shows max(0, row_miss - time of a whole row); all of row_miss where there is one
//            bank
//   turning  read_to_write or write_to_read after a descriptor of the other direction
//   refresh  every refresh_interval all banks stop for `refresh` and are closed after it: a
//            descriptor that is cut by one goes on after it and row_miss, and of what it had open
//            only its last row stays known
// Not modelled: reordering, descriptors side by side in different channels, bank groups,
// power-down, refresh by bank. Knows no SystemC.
#pragma once

#include <cstdint>
#include <vector>

#include "npu_models/npu_spec.h"

namespace npusim::npu::model {

struct DramCounters {
  std::int64_t row_hits = 0, row_misses = 0;  ///< rows that descriptors touch
  std::int64_t refreshes = 0;                 ///< that cut a descriptor or held it up
  std::int64_t turnarounds = 0;
};

class DramSchedule {
 public:
  using Picos = std::int64_t;

  explicit DramSchedule(const DramSpec& spec);
  struct Service {
    Picos start;  ///< when the memory turns to the descriptor
    Picos end;    ///< when its last byte has moved
  };
  /// `bytes` > 0.
  Service serve(Picos requested, bool write, std::uint64_t address, std::int64_t bytes);
  const DramCounters& counters() const { return counters_; }
  /// From `moment` on as from the begin of time: rows closed, bus free, the next refresh an
  /// interval away. Nothing is in flight.
  void restart(Picos moment);

 private:
  struct Rows {
    bool first_closed = false;
    std::int64_t further_closed = 0;
  };
  Service served(Picos requested, bool write, std::uint64_t address, std::int64_t bytes);
  Picos detailed(Picos requested, bool write, std::uint64_t address, std::int64_t bytes);
  Picos after_refresh(Picos moment);
  void close_rows_refreshed_by(Picos moment);
  Rows open_rows(std::int64_t first, std::int64_t last);
  Picos transfer(Picos start, Picos work, std::int64_t last_row);

  DramSpec spec_;
  Picos latency_, row_time_ = 0;
  Picos origin_ = 0;  ///< moments below count from here
  Picos free_at_ = 0;
  bool any_ = false, last_write_ = false;
  std::int64_t last_bank_ = -1;
  std::int64_t refreshed_ = 0;      ///< refreshes whose effect on rows is known
  std::vector<std::int64_t> open_;  ///< row of each bank, -1 closed
  DramCounters counters_;
};

}  // namespace npusim::npu::model
