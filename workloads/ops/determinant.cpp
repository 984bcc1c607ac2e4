// SPDX-License-Identifier: Apache-2.0
// Det: determinants of the matrices of a batch, by Gaussian elimination with the largest pivot of a
// column. Products, quotients and differences are rounded once each.
#include <cmath>

#include "workloads/ops/families.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {
namespace {

/// Destroys the matrix.
double determinant(std::vector<double>& a, std::size_t n, const precision::Rounder& round) {
  double result = 1.0;
  for (std::size_t c = 0; c < n; ++c) {
    std::size_t pivot = c;
    for (std::size_t r = c + 1; r < n; ++r)
      if (std::fabs(a[r * n + c]) > std::fabs(a[pivot * n + c])) pivot = r;
    if (a[pivot * n + c] == 0.0) return 0.0;
    if (pivot != c) {
      std::swap_ranges(a.begin() + static_cast<std::ptrdiff_t>(pivot * n),
                       a.begin() + static_cast<std::ptrdiff_t>((pivot + 1) * n),
                       a.begin() + static_cast<std::ptrdiff_t>(c * n));
      result = -result;
    }
    result = round(result * a[c * n + c]);
    for (std::size_t r = c + 1; r < n; ++r) {
      const double factor = round(a[r * n + c] / a[c * n + c]);
      for (std::size_t k = c + 1; k < n; ++k)
        a[r * n + k] = round(a[r * n + k] - round(factor * a[c * n + k]));
    }
  }
  return result;
}

class Det final : public SimpleOp {
 public:
  Det() : SimpleOp({"Det", "determinants of square matrices (..., n, n)"}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    Shape y = view.input(0).shape;
    if (y.size() < 2 || y[y.size() - 1] != y[y.size() - 2])
      shape_error("x must hold square matrices, not shape " + to_string(y));
    y.resize(y.size() - 2);
    return {{y, ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const std::int64_t n = view.input(0).shape.back();
    const std::int64_t elements = elements_of(view.input(0));
    return {{"div", elements / 2}, {"mul", elements * n / 3}, {"add", elements * n / 3}};
  }
  void forward(Evaluation& e) const override {
    const Tensor& x = *e.inputs[0];
    const auto n = static_cast<std::size_t>(x.shape.back());
    e.parallel(static_cast<std::int64_t>(e.outputs[0].values.size()), [&](std::int64_t i) {
      const auto first = x.values.begin() + i * static_cast<std::int64_t>(n * n);
      std::vector<double> matrix(first, first + static_cast<std::ptrdiff_t>(n * n));
      e.outputs[0].values[static_cast<std::size_t>(i)] = determinant(matrix, n, e.internal);
    });
  }
};

}  // namespace

void register_determinant(OpRegistry& registry) {
  registry.add(std::make_unique<Det>());
}

}  // namespace npusim::workloads
