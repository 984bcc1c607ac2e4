// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <set>

#include "npu_models/array_reader.h"

namespace npusim::npu {
namespace {

struct Role {
  const char* name;
  std::vector<std::string> dims;
};
const std::vector<Role>& roles() {
  static const std::vector<Role> all = {{"fprop", {"C", "R", "S"}},
                                        {"dgrad", {"K", "R", "S"}},
                                        {"wgrad", {"N", "OH", "OW"}},
                                        {"matmul", {"K"}}};
  return all;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

/// "C/64": the dimension in blocks of 64; "C": term by term.
NamedKLoop read_loop(const base::ValueReader& value, const Role& role) {
  NamedKLoop loop;
  const std::string text = value.string();
  const std::size_t slash = text.find('/');
  loop.dim = text.substr(0, slash);
  bool good = false;
  for (const std::string& dim : role.dims) good = good || dim == loop.dim;
  if (good && slash != std::string::npos) {
    const char* const end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data() + slash + 1, end, loop.block);
    good = parsed.ec == std::errc() && parsed.ptr == end && loop.block >= 1;
  }
  if (!good && value.json().is_string())
    value.error("bad-loop", "\"" + text + "\" is no loop of " + role.name,
                "a dimension of " + joined(role.dims) + ", or one in blocks as \"" +
                    role.dims.front() + "/64\"");
  return loop;
}

/// Every dimension ends in a loop of single terms, and its blocks shrink inwards.
void check_loops(const base::ValueReader& value, const Role& role,
                 const std::vector<NamedKLoop>& loops) {
  for (const std::string& dim : role.dims) {
    std::int64_t block = 0;
    for (const NamedKLoop& loop : loops) {
      if (loop.dim != dim) continue;
      if (block != 0 && (loop.block >= block || block % loop.block != 0))
        value.error("bad-loop", "the blocks of " + dim + " do not divide each other inwards",
                    "blocks as 64, 16, 1");
      block = loop.block;
    }
    if (block != 1)
      value.error(
          "bad-loop",
          "the order of " + std::string(role.name) + " does not end in single terms of " + dim,
          "a loop \"" + dim + "\" for every dimension of " + joined(role.dims));
  }
}

}  // namespace

ReductionOrder read_reduction_order(base::ObjectReader& object, ReductionOrder order) {
  for (const Role& role : roles()) {
    const auto value = object.optional(role.name);
    if (!value) continue;
    const std::size_t before = value->diagnostics().items().size();
    std::vector<NamedKLoop> loops;
    for (const base::ValueReader& entry : value->array()) loops.push_back(read_loop(entry, role));
    if (value->diagnostics().items().size() == before) check_loops(*value, role, loops);
    order.by_role[role.name] = std::move(loops);
  }
  order.tail = object.choice<precision::Tail>(
      "tail", {{"pack", precision::Tail::pack}, {"pad", precision::Tail::pad}}, order.tail);
  object.finish();
  return order;
}

}  // namespace npusim::npu
