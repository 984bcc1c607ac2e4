// SPDX-License-Identifier: Apache-2.0
#include "workloads/attention_shape.h"

#include <algorithm>
#include <cmath>

#include "workloads/ops/broadcast.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {

AttentionShape attention_shape(const NodeView& view) {
  const Shape& q = view.input(0).shape;
  const Shape& k = view.input(1).shape;
  const Shape& v = view.input(2).shape;
  AttentionShape s{};
  s.packed = q.size() == 3;
  if (q.size() != k.size() || q.size() != v.size() || (q.size() != 3 && q.size() != 4))
    shape_error("Q, K and V must all have rank 3 or all rank 4: " + to_string(q) + ", " +
                to_string(k) + ", " + to_string(v));
  s.batch = q[0];
  s.heads = s.packed ? view.integer("q_num_heads") : q[1];
  s.kv_heads = s.packed ? view.integer("kv_num_heads") : k[1];
  if (s.heads < 1 || s.kv_heads < 1 || s.heads % s.kv_heads != 0)
    shape_error(std::to_string(s.heads) + " query heads do not share " +
                std::to_string(s.kv_heads) + " key-value heads");
  const std::size_t sequence = s.packed ? 1 : 2;
  const auto per_head = [&](const Shape& x, std::int64_t heads) {
    return s.packed ? x[2] / heads : x[3];
  };
  s.rows = q[sequence];
  s.depth = per_head(q, s.heads);
  s.value_depth = per_head(v, s.kv_heads);
  const bool divides =
      !s.packed || (q[2] % s.heads == 0 && k[2] % s.kv_heads == 0 && v[2] % s.kv_heads == 0);
  const bool fits = divides && k[0] == s.batch && v[0] == s.batch && k[sequence] == v[sequence] &&
                    per_head(k, s.kv_heads) == s.depth && (s.packed || v[1] == s.kv_heads);
  if (!fits)
    shape_error("Q " + to_string(q) + ", K " + to_string(k) + " and V " + to_string(v) +
                " do not fit each other");
  if (view.has_input(4) != view.has_input(5)) shape_error("past_key and past_value come together");
  if (view.has_input(4)) {
    s.past = view.input(4).shape.size() == 4 ? view.input(4).shape[2] : 0;
    if (view.input(4).shape != Shape{s.batch, s.kv_heads, s.past, s.depth} ||
        view.input(5).shape != Shape{s.batch, s.kv_heads, s.past, s.value_depth})
      shape_error("past_key " + to_string(view.input(4).shape) + " and past_value " +
                  to_string(view.input(5).shape) + " do not fit K and V");
  }
  s.columns = s.past + k[sequence];
  s.causal = view.integer("is_causal") != 0;
  s.softcap = view.number("softcap");
  s.scale = view.number("scale");
  if (s.scale == 0.0) s.scale = 1.0 / std::sqrt(static_cast<double>(s.depth));
  if (view.has_input(3)) {
    const Shape scores = {s.batch, s.heads, s.rows, s.columns};
    if (view.input(3).shape.size() > 4 ||
        broadcast_shape(view.input(3).shape, scores, "Attention") != scores)
      shape_error("mask " + to_string(view.input(3).shape) + " does not broadcast to " +
                  to_string(scores));
  }
  return s;
}

std::int64_t AttentionBlocks::queries_in(std::int64_t query_block) const {
  return std::min(queries, shape.group_rows() - query_block * queries);
}

std::int64_t AttentionBlocks::keys_in(std::int64_t key_block) const {
  return std::min(keys, shape.columns - key_block * keys);
}

std::int64_t AttentionBlocks::seen_by_some(std::int64_t query_block) const {
  const std::int64_t first = query_block * queries;
  const std::int64_t last = first + queries_in(query_block) - 1;
  const bool one_head = first / shape.rows == last / shape.rows;
  const std::int64_t row = one_head ? last % shape.rows : shape.rows - 1;
  return shape.causal ? std::min(shape.columns, row + shape.past + 1) : shape.columns;
}

std::int64_t AttentionBlocks::seen_by_all(std::int64_t query_block) const {
  const std::int64_t first = query_block * queries;
  const std::int64_t last = first + queries_in(query_block) - 1;
  const bool one_head = first / shape.rows == last / shape.rows;
  const std::int64_t row = one_head ? first % shape.rows : 0;
  return shape.causal ? std::min(shape.columns, row + shape.past + 1) : shape.columns;
}

std::int64_t AttentionBlocks::blocks_for(std::int64_t query_block) const {
  return (seen_by_some(query_block) - 1) / keys + 1;
}

std::int64_t AttentionBlocks::open_blocks(std::int64_t query_block) const {
  const std::int64_t seen = seen_by_all(query_block);
  return seen == shape.columns ? key_blocks() : seen / keys;
}

std::int64_t AttentionBlocks::macs() const {
  std::int64_t scores = 0;
  for (std::int64_t q = 0; q < query_blocks(); ++q)
    scores += queries_in(q) * std::min(shape.columns, blocks_for(q) * keys);
  return shape.groups() * scores * (shape.depth + shape.value_depth);
}

}  // namespace npusim::workloads
