// SPDX-License-Identifier: Apache-2.0
#include "sim/bits_moved.h"

#include <initializer_list>

namespace npusim::sim {
namespace {

using base::JsonValue;

const JsonValue* at(const JsonValue& from, std::initializer_list<const char*> path) {
  const JsonValue* value = &from;
  for (const char* key : path) {
    value = value->is_object() ? value->find(key) : nullptr;
    if (value == nullptr) return nullptr;
  }
  return value;
}

bool equal(const JsonValue* a, const JsonValue* b) {
  if (a == nullptr || b == nullptr) return a == b;
  return base::dump_json(*a, -1) == base::dump_json(*b, -1);
}

}  // namespace

const char* name_of(BitsMoved moved) {
  switch (moved) {
    case BitsMoved::no:
      return "same";
    case BitsMoved::mapping:
      return "mapping";
    case BitsMoved::arithmetic:
      return "arithmetic";
    case BitsMoved::unknown:
      break;
  }
  return "unknown";
}

BitsMoved bits_moved(const JsonValue& before, const JsonValue& after, std::string* first_op) {
  const JsonValue* hash_before = at(before, {"numerics", "output_bits_hash"});
  const JsonValue* hash_after = at(after, {"numerics", "output_bits_hash"});
  const JsonValue* ops_before = at(before, {"numerics", "by_op"});
  const JsonValue* ops_after = at(after, {"numerics", "by_op"});
  if (hash_before == nullptr || hash_after == nullptr || ops_before == nullptr ||
      ops_after == nullptr || !ops_before->is_array() || !ops_after->is_array())
    return BitsMoved::unknown;
  if (equal(hash_before, hash_after)) return BitsMoved::no;
  const auto& a = ops_before->items();
  const auto& b = ops_after->items();
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) {
    if (!equal(a[i].find("node"), b[i].find("node"))) return BitsMoved::unknown;
    if (equal(&a[i], &b[i])) continue;
    if (first_op != nullptr) *first_op = a[i].find("node")->string();
    return equal(a[i].find("plan"), b[i].find("plan")) ? BitsMoved::arithmetic : BitsMoved::mapping;
  }
  return BitsMoved::unknown;
}

std::string sentence_of(BitsMoved moved, const std::string& first_op) {
  if (moved != BitsMoved::mapping && moved != BitsMoved::arithmetic) return {};
  return std::string("; bits moved through the ") + name_of(moved) + ", first in " + first_op;
}

}  // namespace npusim::sim
