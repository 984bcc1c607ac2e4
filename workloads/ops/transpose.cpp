// SPDX-License-Identifier: Apache-2.0
// Transpose.
#include "workloads/ops/families.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {
namespace {

class Transpose final : public SimpleOp {
 public:
  Transpose()
      : SimpleOp({"Transpose",
                  "permuted dimensions",
                  OpClass::vector,
                  1,
                  1,
                  {{"perm", std::vector<std::int64_t>{}, false,
                    "order of the dimensions; default reversed"}}}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    const Shape& x = view.input(0).shape;
    Shape y;
    for (const std::int64_t d : permutation(view)) y.push_back(x[static_cast<std::size_t>(d)]);
    return {{y, view.input(0).type}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{"copy", elements_of(view.output())}};
  }
  void forward(Evaluation& e) const override {
    const Tensor& x = *e.inputs[0];
    Tensor& y = e.outputs[0];
    const std::vector<std::int64_t> perm = permutation(e.view);
    std::vector<std::int64_t> strides(x.shape.size(), 1);
    for (std::size_t i = strides.size(); i-- > 1;) strides[i - 1] = strides[i] * x.shape[i];
    if (y.values.empty()) return;
    const std::int64_t length = perm.empty() ? 1 : y.shape.back();
    const std::int64_t step = perm.empty() ? 1 : strides[static_cast<std::size_t>(perm.back())];
    const auto copy_row = [&](std::int64_t row) {
      std::int64_t rest = row, from = 0;
      for (std::size_t d = perm.empty() ? 0 : perm.size() - 1; d-- > 0;) {
        from += rest % y.shape[d] * strides[static_cast<std::size_t>(perm[d])];
        rest /= y.shape[d];
      }
      double* const to = y.values.data() + row * length;
      for (std::int64_t i = 0; i < length; ++i)
        to[i] = x.values[static_cast<std::size_t>(from + i * step)];
    };
    const auto rows = static_cast<std::int64_t>(y.values.size()) / length;
    const std::int64_t at_once = std::max<std::int64_t>(1, (1 << 14) / length);
    e.parallel((rows + at_once - 1) / at_once, [&](std::int64_t block) {
      const std::int64_t end = std::min(rows, (block + 1) * at_once);
      for (std::int64_t row = block * at_once; row < end; ++row) copy_row(row);
    });
  }
  bool differentiable() const override { return true; }
  void gradient(GradientBuilder& g) const override {
    if (!g.wanted(0)) return;
    const std::vector<std::int64_t> perm = permutation(g.view());
    std::vector<std::int64_t> back(perm.size());
    for (std::size_t i = 0; i < perm.size(); ++i)
      back[static_cast<std::size_t>(perm[i])] = static_cast<std::int64_t>(i);
    g.set_input_gradient(
        0, g.add("Transpose", "dx", {g.output_gradient(0)}, {{"perm", back}}, gradient_role(g, 0)));
  }

 private:
  static std::vector<std::int64_t> permutation(const NodeView& view) {
    const std::size_t rank = view.input(0).shape.size();
    std::vector<std::int64_t> perm = view.integers("perm");
    if (perm.empty())
      for (std::size_t i = rank; i-- > 0;) perm.push_back(static_cast<std::int64_t>(i));
    std::vector<std::int64_t> sorted = perm;
    std::sort(sorted.begin(), sorted.end());
    bool valid = perm.size() == rank;
    for (std::size_t i = 0; valid && i < rank; ++i)
      valid = sorted[i] == static_cast<std::int64_t>(i);
    if (!valid)
      shape_error("perm " + to_string(perm) + " is no permutation of the dimensions of " +
                  to_string(view.input(0).shape));
    return perm;
  }
};

}  // namespace

void register_transpose(OpRegistry& registry) {
  registry.add(std::make_unique<Transpose>());
}

}  // namespace npusim::workloads
