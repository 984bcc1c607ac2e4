// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/error.h"
#include "base/object_reader.h"
#include "workloads/op.h"

namespace npusim::workloads {

const std::vector<std::string>& vector_functions() {
  static const std::vector<std::string> kNames = {"add", "mul",  "max",     "div", "exp",
                                                  "log", "sqrt", "compare", "copy"};
  return kNames;
}

void OpRegistry::add(std::unique_ptr<Op> op) {
  NPUSIM_CHECK(find(op->name()) == nullptr, "op registered twice: " + op->name());
  const auto before = [](const std::unique_ptr<Op>& a, const std::unique_ptr<Op>& b) {
    return a->name() < b->name();
  };
  ops_.insert(std::upper_bound(ops_.begin(), ops_.end(), op, before), std::move(op));
}

const Op* OpRegistry::find(const std::string& name) const {
  const auto found = std::lower_bound(
      ops_.begin(), ops_.end(), name,
      [](const std::unique_ptr<Op>& op, const std::string& wanted) { return op->name() < wanted; });
  return found != ops_.end() && (*found)->name() == name ? found->get() : nullptr;
}

const Op& OpRegistry::at(const std::string& name) const {
  if (const Op* op = find(name)) return *op;
  std::vector<std::string> names;
  for (const Op* op : all()) names.push_back(op->name());
  const std::string near = base::did_you_mean(name, names);
  throw base::InputError(
      "unknown op \"" + name + "\"" + (near.empty() ? "" : "; did you mean \"" + near + "\"?"),
      "unknown-op");
}

std::vector<const Op*> OpRegistry::all() const {
  std::vector<const Op*> result;
  for (const auto& op : ops_) result.push_back(op.get());
  return result;
}

}  // namespace npusim::workloads
