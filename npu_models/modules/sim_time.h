// SPDX-License-Identifier: Apache-2.0
// Time base of the model: one NPU clock cycle is one nanosecond of SystemC time (a convention: a
// real period such as 1063.83 ps is no multiple of the kernel's resolution). Engines start and
// complete on whole cycles; times that follow from a bandwidth are kept in picoseconds, 1/1000 of a
// cycle.
#pragma once

#include <cmath>
#include <cstdint>
#include <systemc>

namespace npusim::npu::model {

using Picos = std::int64_t;
using Cycles = std::int64_t;

inline constexpr Picos kPicosPerCycle = 1000;

inline sc_core::sc_time to_time(Picos picos) {
  return sc_core::sc_time::from_value(static_cast<sc_core::sc_time::value_type>(picos));
}
inline Picos to_picos(const sc_core::sc_time& time) {
  return static_cast<Picos>(time.value());
}
inline Picos now_picos() {
  return to_picos(sc_core::sc_time_stamp());
}

inline Picos picos_of(Cycles cycles) {
  return cycles * kPicosPerCycle;
}
inline Cycles floor_cycle(Picos picos) {
  return picos / kPicosPerCycle;
}
inline Cycles ceil_cycle(Picos picos) {
  return (picos + kPicosPerCycle - 1) / kPicosPerCycle;
}

/// Time to move `amount` at `per_cycle`, to the nearest picosecond.
inline Picos transfer_picos(std::int64_t amount, double per_cycle) {
  return std::llround(static_cast<double>(amount) * static_cast<double>(kPicosPerCycle) /
                      per_cycle);
}

/// Suspends the calling thread until a moment (no wait when it has passed).
inline void wait_until(Picos moment) {
  const Picos now = now_picos();
  if (moment > now) sc_core::wait(to_time(moment - now));
}

}  // namespace npusim::npu::model
