// SPDX-License-Identifier: Apache-2.0
#include "workloads/ops/matmul_shape.h"

#include "workloads/ops/broadcast.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {

Shape MatMulShape::result() const {
  Shape y = batch;
  if (!row) y.push_back(m);
  if (!column) y.push_back(n);
  return y;
}

Contraction MatMulShape::contraction(GemmRole role, std::vector<precision::ReduceDim> dims) const {
  Contraction c;
  c.role = role;
  c.n = n;
  c.dims = std::move(dims);
  const bool shared_b = element_count(batch_b) == 1;
  c.groups = shared_b ? 1 : element_count(batch);
  c.m = shared_b ? m * element_count(batch) : m;
  return c;
}

void MatMulShape::multiply(const MatrixEngine& engine, const std::vector<double>& a,
                           const std::vector<double>& b, std::vector<double>& y) const {
  const BroadcastIndex from_a(batch_a, batch);
  const BroadcastIndex from_b(batch_b, batch);
  for (std::int64_t i = 0; i < element_count(batch); ++i) {
    const precision::MatrixRows rows(a.data() + from_a(i) * m * k, m, k, trans_a ? 1 : k,
                                     trans_a ? m : 1);
    const precision::MatrixRows columns(b.data() + from_b(i) * k * n, n, k, trans_b ? k : 1,
                                        trans_b ? 1 : n);
    precision::MatrixOutput out(y.data() + i * m * n, n);
    engine.multiply(k, rows, columns, {}, out);
  }
}

MatMulShape matmul_shape(const Shape& given_a, const Shape& given_b, bool trans_a, bool trans_b) {
  if (given_a.empty() || given_b.empty())
    shape_error("MatMul operands need rank 1 or more: " + to_string(given_a) + " and " +
                to_string(given_b));
  MatMulShape s;
  Shape a = given_a;
  Shape b = given_b;
  s.row = a.size() == 1;
  s.column = b.size() == 1;
  if ((s.row && trans_a) || (s.column && trans_b)) shape_error("a vector is not transposed");
  if (s.row) a.insert(a.begin(), 1);
  if (s.column) b.push_back(1);
  s.trans_a = trans_a;
  s.trans_b = trans_b;
  if (trans_a) std::swap(a[a.size() - 1], a[a.size() - 2]);
  if (trans_b) std::swap(b[b.size() - 1], b[b.size() - 2]);
  s.m = a[a.size() - 2];
  s.k = a.back();
  s.n = b.back();
  if (b[b.size() - 2] != s.k)
    shape_error("A " + to_string(given_a) + " and B " + to_string(given_b) + " do not multiply");
  s.batch_a.assign(a.begin(), a.end() - 2);
  s.batch_b.assign(b.begin(), b.end() - 2);
  s.batch = broadcast_shape(s.batch_a, s.batch_b, "MatMul");
  return s;
}

}  // namespace npusim::workloads
