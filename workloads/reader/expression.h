// SPDX-License-Identifier: Apache-2.0
// Integer expressions over named parameters: "batch*4", "(mid + 1)/2", "-x". Operators + - * / with
// the usual precedence, parentheses, unary minus. Exact or an error: overflow of int64 and a
// division with a remainder are refused, never rounded.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

namespace npusim::workloads {

/// Named integers, innermost scope first, and which of them somebody used.
class Parameters {
 public:
  Parameters() = default;
  explicit Parameters(Parameters* outer) : outer_(outer) {}
  void define(const std::string& name, std::int64_t value) { values_[name] = value; }
  /// Looks outwards; nullptr when nobody defines it.
  const std::int64_t* use(const std::string& name);
  bool used(const std::string& name) const { return used_.count(name) > 0; }
  std::string known() const;  ///< "batch, mid" for messages

 private:
  Parameters* outer_ = nullptr;
  std::map<std::string, std::int64_t> values_;
  std::set<std::string> used_;
};

/// Throws base::InputError ("bad-expression", "unknown-parameter", "overflow", "division").
std::int64_t evaluate(std::string_view text, Parameters& parameters);

/// Letters, digits and '_', not starting with a digit.
bool is_parameter_name(std::string_view text);

}  // namespace npusim::workloads
