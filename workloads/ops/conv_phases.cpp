// SPDX-License-Identifier: Apache-2.0
#include "workloads/ops/conv_phases.h"

#include <numeric>

#include "workloads/ops/convolve.h"
#include "workloads/ops/families.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {
namespace {

using Integers = std::vector<std::int64_t>;
const char* const kProduct = "ConvTransposePhase";
const char* const kFill = "PhaseFill";
const char* const kJoin = "JoinPhases";

/// One phase along one dimension.
struct PhaseLine {
  std::int64_t positions = 0;  ///< of the image
  std::int64_t first_tap = 0, tap_step = 1, taps = 0;
  std::int64_t pad = 0, dilation = 1;  ///< of the transposed convolution of stride 1
};

struct Line {
  std::int64_t extent, stride, dilation, pad, kernel;
};

PhaseLine phase_line(const Line& line, std::int64_t q) {
  PhaseLine phase;
  phase.positions = (line.extent - q + line.stride - 1) / line.stride;
  const std::int64_t common = std::gcd(line.stride, line.dilation);
  phase.tap_step = line.stride / common;
  phase.dilation = line.dilation / common;
  while (phase.first_tap < line.kernel &&
         (q + line.pad - phase.first_tap * line.dilation) % line.stride != 0)
    if (++phase.first_tap == phase.tap_step) return phase;  // taps repeat: none ever does
  if (phase.first_tap >= line.kernel) return phase;
  phase.taps = (line.kernel - phase.first_tap + phase.tap_step - 1) / phase.tap_step;
  phase.pad = (q + line.pad - phase.first_tap * line.dilation) / line.stride;
  return phase;
}

/// Of the image, its own dimensions only.
std::vector<Line> lines_of(const ConvGeometry& g) {
  const Line all[] = {{g.in_depth, g.stride_depth, g.dilation_depth, g.pad_front, g.kernel_depth},
                      {g.in_height, g.stride_height, g.dilation_height, g.pad_top, g.kernel_height},
                      {g.in_width, g.stride_width, g.dilation_width, g.pad_left, g.kernel_width}};
  return {all + 3 - g.dimensions, all + 3};
}

ConvGeometry transposed_geometry(const NodeView& view) {
  return view.node().op == "ConvTranspose" ? conv_transpose_geometry(view)
                                           : data_gradient_geometry(view);
}

/// The transposed convolution of stride 1 that a ConvTransposePhase is.
ConvGeometry phase_geometry(const NodeView& view) {
  const Shape& y = view.input(0).shape;
  const Shape& w = view.input(1).shape;
  const Integers& image = view.integers("image");
  const std::size_t count = image.size();
  if (count < 1 || count > 3 || y.size() != count + 2 || w.size() != y.size())
    shape_error("phase of " + to_string(y) + " and " + to_string(w));
  for (const char* name : {"pads", "dilations", "first_taps", "tap_steps"})
    if (view.integers(name).size() != count)
      shape_error(std::string("attribute ") + name + " is not one value a dimension");
  ConvGeometry g;
  g.dimensions = static_cast<int>(count);
  g.images = y[0];
  g.groups = view.integer("group");
  g.channels = w[1] * g.groups;
  g.out_channels = y[1];
  struct Fields {
    std::int64_t *in, *out, *kernel, *dilation, *pad;
  };
  const Fields fields[] = {
      {&g.in_depth, &g.out_depth, &g.kernel_depth, &g.dilation_depth, &g.pad_front},
      {&g.in_height, &g.out_height, &g.kernel_height, &g.dilation_height, &g.pad_top},
      {&g.in_width, &g.out_width, &g.kernel_width, &g.dilation_width, &g.pad_left}};
  for (std::size_t d = 0; d < count; ++d) {
    const Fields& f = fields[3 - count + d];
    const std::int64_t first = view.integers("first_taps")[d], step = view.integers("tap_steps")[d];
    if (first < 0 || step < 1 || first >= w[d + 2])
      shape_error("no tap " + std::to_string(first) + " in " + to_string(w));
    *f.in = image[d];
    *f.out = y[d + 2];
    *f.kernel = (w[d + 2] - first + step - 1) / step;
    *f.dilation = view.integers("dilations")[d];
    *f.pad = view.integers("pads")[d];
  }
  return g;
}

/// The taps of a phase out of all.
Tensor taps_of(const NodeView& view, const ConvGeometry& g, const Tensor& w) {
  const std::size_t count = w.shape.size() - 2;
  Integers extents(3, 1), first(3, 0), step(3, 1);
  for (std::size_t d = 0; d < count; ++d) {
    extents[3 - count + d] = w.shape[d + 2];
    first[3 - count + d] = view.integers("first_taps")[d];
    step[3 - count + d] = view.integers("tap_steps")[d];
  }
  Shape shape = {w.shape[0], w.shape[1], g.kernel_depth, g.kernel_height, g.kernel_width};
  Tensor taps(shape);
  double* to = taps.values.data();
  for (std::int64_t filter = 0; filter < w.shape[0] * w.shape[1]; ++filter) {
    const double* from = w.values.data() + filter * extents[0] * extents[1] * extents[2];
    for (std::int64_t t = first[0]; t < extents[0]; t += step[0])
      for (std::int64_t r = first[1]; r < extents[1]; r += step[1])
        for (std::int64_t s = first[2]; s < extents[2]; s += step[2])
          *to++ = from[(t * extents[1] + r) * extents[2] + s];
  }
  return taps;
}

class ConvTransposePhase final : public SimpleOp {
 public:
  ConvTransposePhase()
      : SimpleOp({kProduct,
                  "one phase of a strided transposed convolution of y by w, optional bias",
                  OpClass::matrix,
                  2,
                  3,
                  {{"group", std::int64_t{1}, false, "of the convolution"},
                   {"image", Integers{}, true, "extents of the phase"},
                   {"pads", Integers{}, true, "begin of each dimension; may be negative"},
                   {"dilations", Integers{}, true, "step between outputs that taps reach"},
                   {"first_taps", Integers{}, true, "first tap of each dimension"},
                   {"tap_steps", Integers{}, true, "step between taps"}},
                  true}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    const ConvGeometry g = phase_geometry(view);
    Shape shape = {g.images, g.channels};
    for (const std::int64_t extent : view.integers("image")) shape.push_back(extent);
    return {{shape, ElementType::floating}};
  }
  std::optional<Contraction> contraction(const NodeView& view) const override {
    const ConvGeometry g = phase_geometry(view);
    Contraction c = transposed_contraction(g);
    c.bias_input = view.has_input(2) ? 2 : -1;
    return c;
  }
  std::vector<VectorWork> vector_work(const NodeView&) const override { return {}; }
  void forward(Evaluation& e) const override {
    const ConvGeometry g = phase_geometry(e.view);
    const double* bias = e.view.has_input(2) ? e.inputs[2]->values.data() : nullptr;
    convolve_transposed(e.matrix, g, *e.inputs[0], taps_of(e.view, g, *e.inputs[1]), bias,
                        e.outputs[0]);
  }
};

/// The vector unit writes it.
class PhaseFill final : public SimpleOp {
 public:
  PhaseFill()
      : SimpleOp({kFill,
                  "a phase without taps: the bias, or zeros",
                  OpClass::vector,
                  0,
                  1,
                  {{"shape", Integers{}, true, "(N, C, ...)"},
                   {"format", std::string(), false, "declared format"}},
                  true}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    return {{view.integers("shape"), ElementType::floating, view.text("format")}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{"copy", elements_of(view.output())}};
  }
  void forward(Evaluation& e) const override {
    Tensor& y = e.outputs[0];
    const bool biased = e.view.has_input(0);
    const std::int64_t pixels = element_count(y.shape) / (y.shape[0] * y.shape[1]);
    for (std::int64_t plane = 0; plane < y.shape[0] * y.shape[1]; ++plane)
      std::fill_n(y.values.begin() + plane * pixels, pixels,
                  biased ? e.inputs[0]->values[static_cast<std::size_t>(plane % y.shape[1])] : 0.0);
  }
};

class JoinPhases final : public SimpleOp {
 public:
  JoinPhases()
      : SimpleOp({kJoin,
                  "the image whose phases are given, the last dimension's first",
                  OpClass::view,
                  1,
                  static_cast<int>(kMostPhases),
                  {{"shape", Integers{}, true, "of the image (N, C, ...)"},
                   {"strides", Integers{}, true, "between the positions of a phase"}},
                  true}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    std::int64_t elements = 0;
    for (int i = 0; i < view.input_count(); ++i) elements += elements_of(view.input(i));
    if (elements != element_count(view.integers("shape")))
      shape_error("phases of " + std::to_string(elements) + " elements do not make " +
                  to_string(view.integers("shape")));
    return {{view.integers("shape"), ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView&) const override { return {}; }
  void forward(Evaluation& e) const override {
    const Shape& shape = e.outputs[0].shape;
    const Integers& strides = e.view.integers("strides");
    const std::size_t count = strides.size();
    Integers extent(3, 1), stride(3, 1);
    std::copy_n(shape.begin() + 2, count, extent.end() - static_cast<std::ptrdiff_t>(count));
    std::copy_n(strides.begin(), count, stride.end() - static_cast<std::ptrdiff_t>(count));
    const auto phases = [&](std::size_t d) { return std::min(extent[d], stride[d]); };
    for (std::size_t i = 0; i < e.inputs.size(); ++i) {
      const auto number = static_cast<std::int64_t>(i);
      const Integers first = {number / (phases(2) * phases(1)), number / phases(2) % phases(1),
                              number % phases(2)};
      const double* from = e.inputs[i]->values.data();
      for (std::int64_t plane = 0; plane < shape[0] * shape[1]; ++plane)
        for (std::int64_t z = first[0]; z < extent[0]; z += stride[0])
          for (std::int64_t y = first[1]; y < extent[1]; y += stride[1])
            for (std::int64_t x = first[2]; x < extent[2]; x += stride[2])
              e.outputs[0].values[static_cast<std::size_t>(
                  ((plane * extent[0] + z) * extent[1] + y) * extent[2] + x)] = *from++;
    }
  }
};

/// Adds the phase whose position in each dimension is given.
TensorId add_phase(DecompositionBuilder& builder, const ConvGeometry& g,
                   const std::vector<Line>& lines, const Integers& position) {
  const NodeView view = builder.view();
  Integers image, pads, dilations, first_taps, tap_steps;
  bool reaches = true;
  std::string suffix = "phase";
  for (std::size_t d = 0; d < lines.size(); ++d) {
    const PhaseLine phase = phase_line(lines[d], position[d]);
    image.push_back(phase.positions);
    pads.push_back(phase.pad);
    dilations.push_back(phase.dilation);
    first_taps.push_back(phase.first_tap);
    tap_steps.push_back(phase.tap_step);
    reaches = reaches && phase.taps > 0;
    suffix += "_" + std::to_string(position[d]);
  }
  const bool biased = view.has_input(2);
  const std::vector<TensorId>& inputs = view.node().inputs;
  if (reaches)
    return builder.add(kProduct, suffix, inputs,
                       {{"group", g.groups},
                        {"image", image},
                        {"pads", pads},
                        {"dilations", dilations},
                        {"first_taps", first_taps},
                        {"tap_steps", tap_steps}});
  Shape shape = {g.images, g.channels};
  shape.insert(shape.end(), image.begin(), image.end());
  return builder.add(kFill, suffix,
                     biased ? std::vector<TensorId>{inputs[2]} : std::vector<TensorId>{},
                     {{"shape", shape}, {"format", view.output().format}});
}

}  // namespace

bool inserts_zeros(const NodeView& view) {
  if (view.node().op != "ConvTranspose" && view.node().op != "ConvDataGradient") return false;
  const Integers& strides = view.integers("strides");
  return std::any_of(strides.begin(), strides.end(), [](std::int64_t s) { return s > 1; });
}

std::int64_t phases_of(const NodeView& view) {
  std::int64_t phases = 1;
  for (const Line& line : lines_of(transposed_geometry(view)))
    phases *= std::min(line.extent, line.stride);
  return phases;
}

std::vector<TensorId> split_into_phases(DecompositionBuilder& builder) {
  const ConvGeometry g = transposed_geometry(builder.view());
  const std::vector<Line> lines = lines_of(g);
  Integers counts, strides, position(lines.size(), 0);
  for (const Line& line : lines) {
    counts.push_back(std::min(line.extent, line.stride));
    strides.push_back(line.stride);
  }
  const std::int64_t phases = phases_of(builder.view());
  NPUSIM_CHECK(phases <= kMostPhases, builder.view().node().name + " has too many phases");
  std::vector<TensorId> parts;
  for (std::int64_t i = 0; i < phases; ++i) {
    std::int64_t rest = i;
    for (std::size_t d = lines.size(); d-- > 0; rest /= counts[d]) position[d] = rest % counts[d];
    parts.push_back(add_phase(builder, g, lines, position));
  }
  return {builder.add(kJoin, "join", parts,
                      {{"shape", builder.view().output().shape}, {"strides", strides}})};
}

bool is_phase_product(const Node& node) {
  return node.op == kProduct;
}

bool fills_phase(const Node& node) {
  return node.op == kFill;
}

bool joins_phases(const Node& node) {
  return node.op == kJoin;
}

void register_conv_phases(OpRegistry& registry) {
  registry.add(std::make_unique<ConvTransposePhase>());
  registry.add(std::make_unique<PhaseFill>());
  registry.add(std::make_unique<JoinPhases>());
}

}  // namespace npusim::workloads
