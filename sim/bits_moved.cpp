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

std::string text_at(const JsonValue& from, std::initializer_list<const char*> path) {
  const JsonValue* value = at(from, path);
  return value != nullptr && value->is_string() ? value->string() : "";
}

const std::vector<JsonValue>* ops_of(const JsonValue& run) {
  const JsonValue* ops = at(run, {"numerics", "by_op"});
  return ops != nullptr && ops->is_array() ? &ops->items() : nullptr;
}

/// By the hashes of their bits, or by all figures in results of versions without.
bool same_bits(const JsonValue& a, const JsonValue& b) {
  const JsonValue* before = a.find("bits_hash");
  const JsonValue* after = b.find("bits_hash");
  return before != nullptr && after != nullptr ? equal(before, after) : equal(&a, &b);
}

/// Inputs whose distributions differ: nothing computed before does, so they are weights or data.
std::vector<std::string> inputs_moved(const JsonValue& a, const JsonValue& b) {
  std::vector<std::string> names;
  const JsonValue* before = a.find("inputs");
  const JsonValue* after = b.find("inputs");
  if (before == nullptr || after == nullptr || !before->is_array() || !after->is_array()) return {};
  for (std::size_t i = 0; i < before->items().size() && i < after->items().size(); ++i)
    if (!equal(&before->items()[i], &after->items()[i]))
      names.push_back(text_at(before->items()[i], {"tensor"}));
  return names;
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
  const std::vector<JsonValue>* ops_before = ops_of(before);
  const std::vector<JsonValue>* ops_after = ops_of(after);
  if (hash_before == nullptr || hash_after == nullptr || ops_before == nullptr ||
      ops_after == nullptr)
    return BitsMoved::unknown;
  if (equal(hash_before, hash_after)) return BitsMoved::no;
  const auto& a = *ops_before;
  const auto& b = *ops_after;
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) {
    if (!equal(a[i].find("node"), b[i].find("node"))) return BitsMoved::unknown;
    if (same_bits(a[i], b[i])) continue;
    if (first_op != nullptr) *first_op = a[i].find("node")->string();
    return equal(a[i].find("plan"), b[i].find("plan")) ? BitsMoved::arithmetic : BitsMoved::mapping;
  }
  return BitsMoved::unknown;
}

std::optional<MovedTensor> first_moved_tensor(const JsonValue& before, const JsonValue& after) {
  const std::vector<JsonValue>* a = ops_of(before);
  const std::vector<JsonValue>* b = ops_of(after);
  if (a == nullptr || b == nullptr) return std::nullopt;
  for (std::size_t i = 0; i < a->size() && i < b->size(); ++i) {
    const JsonValue& was = (*a)[i];
    const JsonValue& is = (*b)[i];
    const bool comparable = equal(was.find("node"), is.find("node")) &&
                            was.find("bits_hash") != nullptr && is.find("bits_hash") != nullptr;
    if (!comparable) return std::nullopt;
    if (same_bits(was, is)) continue;
    return MovedTensor{text_at(was, {"node"}),  text_at(was, {"op"}),
                       text_at(was, {"phase"}), text_at(was, {"output", "tensor"}),
                       text_at(was, {"plan"}),  text_at(is, {"plan"}),
                       inputs_moved(was, is)};
  }
  return std::nullopt;
}

std::string sentence_of(const MovedTensor& moved) {
  std::string text =
      "first tensor whose bits differ: " + (moved.tensor.empty() ? "an output" : moved.tensor) +
      " of " + moved.node + " (" + moved.op + ", " + moved.phase + ")";
  for (const std::string& input : moved.inputs_moved) text += "; it reads another " + input;
  if (moved.plan_before != moved.plan_after)
    return text + "; it sums as \"" + moved.plan_after + "\", before as \"" + moved.plan_before +
           "\"";
  return moved.plan_before.empty() ? text : text + "; it sums in the same order";
}

std::string sentence_of(BitsMoved moved, const std::string& first_op) {
  if (moved != BitsMoved::mapping && moved != BitsMoved::arithmetic) return {};
  return std::string("; bits moved through the ") + name_of(moved) + ", first in " + first_op;
}

}  // namespace npusim::sim
