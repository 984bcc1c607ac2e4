// SPDX-License-Identifier: Apache-2.0
// The last few values that were made, by key.
#pragma once

#include <list>
#include <string>
#include <utility>

namespace npusim::sim {

template <class T>
class Recent {
 public:
  explicit Recent(std::size_t most) : most_(most) {}

  /// References hold until `most` others were made.
  template <class Make>
  T& get(const std::string& key, const Make& make) {
    for (auto it = items_.begin(); it != items_.end(); ++it) {
      if (it->first != key) continue;
      items_.splice(items_.begin(), items_, it);
      return items_.front().second;
    }
    T made = make();
    items_.emplace_front(key, std::move(made));
    if (items_.size() > most_) items_.pop_back();
    return items_.front().second;
  }

 private:
  std::size_t most_;
  std::list<std::pair<std::string, T>> items_;
};

}  // namespace npusim::sim
