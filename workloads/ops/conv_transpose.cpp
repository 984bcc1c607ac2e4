// SPDX-License-Identifier: Apache-2.0
// ConvTranspose: the image from which Conv, with the same weight and windows, would read x. It is
// Conv's data gradient as an op of its own; its gradients are a Conv and Conv's weight gradient.
#include "workloads/ops/convolve.h"
#include "workloads/ops/families.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {
namespace {

using Integers = std::vector<std::int64_t>;
constexpr std::int64_t kMost = std::int64_t{1} << 20;

/// One value a dimension of the image, `fallback` when the attribute is empty.
Integers listed(const NodeView& view, const char* attribute, std::size_t count,
                std::int64_t fallback, std::int64_t least) {
  Integers values = view.integers(attribute);
  if (values.empty()) values.assign(count, fallback);
  bool fits = values.size() == count;
  for (const std::int64_t value : values) fits = fits && value >= least && value <= kMost;
  if (!fits)
    shape_error(std::string("attribute ") + attribute + " must be " + std::to_string(count) +
                " integers of at least " + std::to_string(least) + ", not " + to_string(values));
  return values;
}

struct Placement {
  Shape image;    ///< shape of the result
  Integers pads;  ///< begins, then ends
  Integers strides, dilations;
};

/// Pads and extents of the result. Where the extents are given (output_shape, SAME_*), pads follow
/// from them; an odd total leaves the larger half at the end for SAME_UPPER and NOTSET.
Placement place(const NodeView& view) {
  const Shape& x = view.input(0).shape;
  const Shape& w = view.input(1).shape;
  if (x.size() < 3 || x.size() > 5)
    throw base::InputError("the image must have rank 3 to 5, not shape " + to_string(x),
                           "unsupported-rank");
  const std::size_t count = x.size() - 2;
  const std::int64_t group = view.integer("group");
  if (w.size() != x.size() || w[0] != x[1] || group < 1 || x[1] % group != 0)
    shape_error("weight " + to_string(w) + " (C, M/group, ...) does not fit image " + to_string(x) +
                " in " + std::to_string(group) + " groups");
  const Integers kernel(w.begin() + 2, w.end());
  if (!view.integers("kernel_shape").empty() && view.integers("kernel_shape") != kernel)
    shape_error("attribute kernel_shape differs from weight " + to_string(w));
  Placement p;
  p.strides = listed(view, "strides", count, 1, 1);
  p.dilations = listed(view, "dilations", count, 1, 1);
  p.pads = listed(view, "pads", 2 * count, 0, 0);
  const Integers extra = listed(view, "output_padding", count, 0, 0);
  Integers wanted = view.integers("output_shape");
  if (wanted.size() == count + 2) wanted.erase(wanted.begin(), wanted.begin() + 2);
  if (!wanted.empty()) wanted = listed(view, "output_shape", wanted.size(), 0, 1);
  if (!wanted.empty() && wanted.size() != count)
    shape_error("attribute output_shape is not one extent a dimension of the image");
  const std::string& auto_pad = view.text("auto_pad");
  const bool same = auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER";
  if (!same && auto_pad != "NOTSET" && auto_pad != "VALID")
    shape_error("attribute auto_pad \"" + auto_pad +
                "\" is none of NOTSET, VALID, SAME_UPPER, SAME_LOWER");
  if (auto_pad == "VALID") p.pads.assign(2 * count, 0);
  p.image = {x[0], w[1] * group};
  for (std::size_t d = 0; d < count; ++d) {
    const std::int64_t in = x[d + 2];
    if (in < 1 || in > kMost || w[d + 2] < 1 || w[d + 2] > kMost)
      shape_error("an extent of " + to_string(x) + " or " + to_string(w) + " is out of range");
    const std::int64_t full =
        p.strides[d] * (in - 1) + extra[d] + (w[d + 2] - 1) * p.dilations[d] + 1;
    if (same && wanted.empty()) p.image.push_back(in * p.strides[d]);
    if (!wanted.empty()) p.image.push_back(wanted[d]);
    if (same || !wanted.empty()) {
      const std::int64_t total = std::max<std::int64_t>(0, full - p.image.back());
      p.pads[d] = auto_pad == "SAME_LOWER" ? total - total / 2 : total / 2;
      p.pads[d + count] = total - p.pads[d];
    } else {
      p.image.push_back(full - p.pads[d] - p.pads[d + count]);
    }
    if (p.image.back() < 1)
      shape_error("the pads take the whole image " + to_string(x) + " grows to");
  }
  return p;
}

std::vector<AttributeSpec> transpose_attributes() {
  std::vector<AttributeSpec> attributes = conv_attributes();
  attributes.push_back({"output_padding", Integers{}, false, "added to the result's ends"});
  attributes.push_back({"output_shape", Integers{}, false, "extents of the result; sets the pads"});
  return attributes;
}

class ConvTranspose final : public SimpleOp {
 public:
  ConvTranspose()
      : SimpleOp({"ConvTranspose",
                  "transposed convolution of x (N,C,...) by w (C,M/group,...), optional bias (M)",
                  OpClass::matrix, 2, 3, transpose_attributes()}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    const Shape y = place(view).image;
    if (view.has_input(2) && view.input(2).shape != Shape{y[1]})
      shape_error("bias " + view.input(2).name + " must have shape [" + std::to_string(y[1]) +
                  "], not " + to_string(view.input(2).shape));
    return {{y, ElementType::floating}};
  }
  /// As Conv's data gradient: the zeros that a stride inserts count.
  std::optional<Contraction> contraction(const NodeView& view) const override {
    Contraction c = transposed_contraction(conv_transpose_geometry(view));
    c.bias_input = view.has_input(2) ? 2 : -1;
    return c;
  }
  /// Each element of x times each tap, as models are counted; a MAC array that inserts the zeros of
  /// the strides takes more (contraction).
  std::int64_t macs(const NodeView& view) const override {
    const Shape& w = view.input(1).shape;
    return elements_of(view.input(0)) * element_count(Shape(w.begin() + 1, w.end()));
  }
  std::vector<VectorWork> vector_work(const NodeView&) const override { return {}; }
  void forward(Evaluation& e) const override {
    const double* bias = e.view.has_input(2) ? e.inputs[2]->values.data() : nullptr;
    convolve_transposed(e.matrix, conv_transpose_geometry(e.view), *e.inputs[0], *e.inputs[1], bias,
                        e.outputs[0]);
  }
  bool differentiable() const override { return true; }
  void gradient(GradientBuilder& g) const override {
    const NodeView view = g.view();
    const TensorId dy = g.output_gradient(0);
    const Placement p = place(view);
    Attributes window = {{"dilations", p.dilations},
                         {"group", view.integer("group")},
                         {"pads", p.pads},
                         {"strides", p.strides}};
    const Node node = view.node();
    if (g.wanted(0))
      g.set_input_gradient(0,
                           g.add("Conv", "dx", {dy, node.inputs[1]}, window, gradient_role(g, 0)));
    if (g.wanted(1)) {
      window["w_shape"] = view.input(1).shape;
      g.set_input_gradient(
          1, g.add("ConvWeightGradient", "dw", {node.inputs[0], dy}, window, gradient_role(g, 1)));
    }
    if (g.wanted(2)) {
      Integers axes = {0};
      for (std::size_t d = 2; d < p.image.size(); ++d) axes.push_back(static_cast<std::int64_t>(d));
      g.set_input_gradient(
          2, g.add("ReduceSum", "db", {dy}, {{"axes", axes}, {"keepdims", std::int64_t{0}}},
                   gradient_role(g, 2)));
    }
  }
};

}  // namespace

/// Of the Conv from the result to x: x's extents are its output, whatever the padding leaves over.
ConvGeometry conv_transpose_geometry(const NodeView& view) {
  const Placement p = place(view);
  const Shape& x = view.input(0).shape;
  const Shape& w = view.input(1).shape;
  const std::size_t count = x.size() - 2;
  ConvGeometry g;
  g.dimensions = static_cast<int>(count);
  g.images = x[0];
  g.channels = p.image[1];
  g.out_channels = x[1];
  g.groups = view.integer("group");
  struct Fields {
    std::int64_t *in, *out, *kernel, *stride, *dilation, *begin, *end;
  };
  const Fields fields[] = {{&g.in_depth, &g.out_depth, &g.kernel_depth, &g.stride_depth,
                            &g.dilation_depth, &g.pad_front, &g.pad_back},
                           {&g.in_height, &g.out_height, &g.kernel_height, &g.stride_height,
                            &g.dilation_height, &g.pad_top, &g.pad_bottom},
                           {&g.in_width, &g.out_width, &g.kernel_width, &g.stride_width,
                            &g.dilation_width, &g.pad_left, &g.pad_right}};
  for (std::size_t d = 0; d < count; ++d) {
    const Fields& f = fields[3 - count + d];
    *f.in = p.image[d + 2];
    *f.out = x[d + 2];
    *f.kernel = w[d + 2];
    *f.stride = p.strides[d];
    *f.dilation = p.dilations[d];
    *f.begin = p.pads[d];
    *f.end = p.pads[d + count];
  }
  return g;
}

void register_conv_transpose(OpRegistry& registry) {
  registry.add(std::make_unique<ConvTranspose>());
}

}  // namespace npusim::workloads
