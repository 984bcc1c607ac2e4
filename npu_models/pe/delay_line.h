// SPDX-License-Identifier: Apache-2.0
// Registers one behind the other: what is pushed in one cycle can be read `stages` cycles later.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

namespace npusim::npu::pe {

template <class T>
class DelayLine {
 public:
  void reset(std::int64_t stages) { line_.assign(static_cast<std::size_t>(stages), std::nullopt); }
  /// What was pushed `stages` commits ago.
  const std::optional<T>& out() const { return line_.back(); }
  void push(std::optional<T> value) {
    line_.pop_back();
    line_.push_front(std::move(value));
  }

 private:
  std::deque<std::optional<T>> line_{std::nullopt};
};

}  // namespace npusim::npu::pe
