// SPDX-License-Identifier: Apache-2.0
#include "sim/metric_pattern.h"

#include <algorithm>
#include <vector>

namespace npusim::sim {
namespace {

std::vector<std::string> tokens_of(const std::string& pointer) {
  std::vector<std::string> tokens;
  for (std::size_t at = 0; at < pointer.size();) {
    const std::size_t next = std::min(pointer.find('/', at + 1), pointer.size());
    tokens.push_back(pointer.substr(at + 1, next - at - 1));
    at = next;
  }
  return tokens;
}

bool matches(const std::vector<std::string>& pattern, std::size_t p,
             const std::vector<std::string>& tokens, std::size_t t) {
  if (p == pattern.size()) return t == tokens.size();
  if (pattern[p] == "**") {
    for (std::size_t skip = t; skip <= tokens.size(); ++skip)
      if (matches(pattern, p + 1, tokens, skip)) return true;
    return false;
  }
  return t < tokens.size() && (pattern[p] == "*" || tokens[t] == "*" || pattern[p] == tokens[t]) &&
         matches(pattern, p + 1, tokens, t + 1);
}

}  // namespace

bool metric_matches(const std::string& pattern, const std::string& pointer) {
  return matches(tokens_of(pattern), 0, tokens_of(pointer), 0);
}

}  // namespace npusim::sim
