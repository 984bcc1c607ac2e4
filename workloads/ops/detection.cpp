// SPDX-License-Identifier: Apache-2.0
// NonMaxSuppression and RoiAlign. The number of boxes that NonMaxSuppression keeps depends on
// values: where they are known the result is ONNX's; else it has as many rows as may be kept, and
// rows that nothing fills hold -1.
#include <cmath>

#include "workloads/ops/families.h"
#include "workloads/ops/roi_samples.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {
namespace {

struct Box {
  double top, left, bottom, right;
  double area() const { return (bottom - top) * (right - left); }
};

Box box_at(const double* corner, bool centred) {
  if (centred)
    return {corner[1] - corner[3] / 2, corner[0] - corner[2] / 2, corner[1] + corner[3] / 2,
            corner[0] + corner[2] / 2};
  return {std::min(corner[0], corner[2]), std::min(corner[1], corner[3]),
          std::max(corner[0], corner[2]), std::max(corner[1], corner[3])};
}

double overlap(const Box& a, const Box& b) {
  const double height = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
  const double width = std::min(a.right, b.right) - std::max(a.left, b.left);
  if (height <= 0.0 || width <= 0.0) return 0.0;
  const double shared = height * width;
  return shared / (a.area() + b.area() - shared);
}

class NonMaxSuppression final : public SimpleOp {
 public:
  NonMaxSuppression()
      : SimpleOp({"NonMaxSuppression",
                  "(batch, class, box) of the boxes kept, best scores first, without those that "
                  "overlap a better one by more than iou_threshold",
                  OpClass::vector,
                  2,
                  5,
                  {{"center_point_box", std::int64_t{0}, false,
                    "1: (x, y, width, height); 0: two opposite corners (y, x, y, x)"}},
                  false,
                  1,
                  1,
                  {0, 1, 2, 3, 4}}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    const Shape& boxes = view.input(0).shape;
    const Shape& scores = view.input(1).shape;
    if (boxes.size() != 3 || boxes[2] != 4 || scores.size() != 3 || scores[0] != boxes[0] ||
        scores[2] != boxes[1])
      shape_error("boxes " + to_string(boxes) + " and scores " + to_string(scores) +
                  " must be (N, B, 4) and (N, C, B)");
    std::int64_t rows = scores[0] * scores[1] * most(view);
    if (view.known(0) != nullptr && view.known(1) != nullptr)
      rows = static_cast<std::int64_t>(kept(view, *view.known(0), *view.known(1)).size()) / 3;
    return {{{rows, 3}, ElementType::int64}};
  }
  /// Each box of a class against those kept: at most boxes * max_output_boxes_per_class overlaps.
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const Shape& scores = view.input(1).shape;
    const std::int64_t pairs = elements_of(view.input(1)) * most(view);
    std::int64_t levels = 1;
    while ((std::int64_t{1} << levels) < scores[2]) ++levels;
    return {{"compare", elements_of(view.input(1)) * levels + pairs},
            {"max", 4 * pairs},
            {"mul", 2 * pairs},
            {"add", 4 * pairs},
            {"div", pairs}};
  }
  void forward(Evaluation& e) const override {
    std::vector<double> rows = kept(e.view, *e.inputs[0], *e.inputs[1]);
    rows.resize(e.outputs[0].values.size(), -1.0);
    e.outputs[0].values = std::move(rows);
  }

 private:
  static double number(const NodeView& view, int input, double fallback) {
    if (!view.has_input(input)) return fallback;
    const Tensor& values = view.constant(input);
    return values.values.empty() ? fallback : values.values[0];
  }
  /// Boxes that one class may keep. ONNX's default is 0: none.
  static std::int64_t most(const NodeView& view) {
    const double limit = number(view, 2, 0.0);
    return static_cast<std::int64_t>(
        std::min(std::max(limit, 0.0), static_cast<double>(view.input(1).shape[2])));
  }
  static std::vector<double> kept(const NodeView& view, const Tensor& boxes, const Tensor& scores) {
    const Shape& shape = scores.shape;
    const bool centred = view.integer("center_point_box") != 0;
    const double iou = number(view, 3, 0.0);
    const bool limited = view.has_input(4);
    const double threshold = number(view, 4, 0.0);
    std::vector<double> result;
    for (std::int64_t n = 0; n < shape[0]; ++n)
      for (std::int64_t c = 0; c < shape[1]; ++c) {
        const double* score = scores.values.data() + (n * shape[1] + c) * shape[2];
        std::vector<std::int64_t> order;
        for (std::int64_t b = 0; b < shape[2]; ++b)
          if (!limited || score[b] > threshold) order.push_back(b);
        std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
          return score[a] > score[b] || (score[a] == score[a] && score[b] != score[b]);
        });
        std::vector<Box> chosen;
        for (const std::int64_t b : order) {
          if (static_cast<std::int64_t>(chosen.size()) >= most(view)) break;
          const Box box = box_at(boxes.values.data() + (n * shape[2] + b) * 4, centred);
          const bool free = std::all_of(chosen.begin(), chosen.end(), [&](const Box& other) {
            return overlap(box, other) <= iou;
          });
          if (!free) continue;
          chosen.push_back(box);
          for (const std::int64_t value : {n, c, b}) result.push_back(static_cast<double>(value));
        }
      }
    return result;
  }
};

std::vector<AttributeSpec> roi_attributes() {
  return {{"coordinate_transformation_mode", std::string("half_pixel"), false,
           "half_pixel, or output_half_pixel: without the shift by half a pixel"},
          {"mode", std::string("avg"), false, "avg or max of the samples of a bin"},
          {"output_height", std::int64_t{1}, false, "bins"},
          {"output_width", std::int64_t{1}, false, "bins"},
          {"sampling_ratio", std::int64_t{0}, false, "samples of a bin and axis; 0: as needed"},
          {"spatial_scale", 1.0, false, "pixels of x a unit of the regions"}};
}

RoiSampling sampling_of(const NodeView& view, const Shape& x) {
  RoiSampling s;
  s.height = x[2];
  s.width = x[3];
  s.bins_high = view.integer("output_height");
  s.bins_wide = view.integer("output_width");
  s.ratio = view.integer("sampling_ratio");
  s.scale = view.number("spatial_scale");
  s.shifted = view.text("coordinate_transformation_mode") == "half_pixel";
  return s;
}

void check_roi_align(const NodeView& view, const Shape& x, const Shape& rois,
                     const Shape& batches) {
  if (x.size() != 4 || rois.size() != 2 || rois[1] != 4 || batches != Shape{rois[0]})
    shape_error("x " + to_string(x) + ", rois " + to_string(rois) + " and batch_indices " +
                to_string(batches) + " must be (N, C, H, W), (R, 4) and (R)");
  constexpr std::int64_t kMost = 1 << 16;
  for (const char* attribute : {"output_height", "output_width"})
    if (view.integer(attribute) < 1 || view.integer(attribute) > kMost)
      shape_error(std::string("attribute ") + attribute + " is out of range");
  if (view.integer("sampling_ratio") < 0 || view.integer("sampling_ratio") > kMost)
    shape_error("attribute sampling_ratio is out of range");
  const std::string& mode = view.text("coordinate_transformation_mode");
  if (view.text("mode") != "avg" && view.text("mode") != "max")
    shape_error("attribute mode \"" + view.text("mode") + "\" is none of avg, max");
  if (mode != "half_pixel" && mode != "output_half_pixel")
    shape_error("attribute coordinate_transformation_mode \"" + mode + "\" is not known");
}

class RoiAlign final : public SimpleOp {
 public:
  RoiAlign()
      : SimpleOp({"RoiAlign", "x sampled at a grid of bins in each region (x1, y1, x2, y2) of rois",
                  OpClass::vector, 3, 3, roi_attributes()}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    const Shape& x = view.input(0).shape;
    check_roi_align(view, x, view.input(1).shape, view.input(2).shape);
    return {{{view.input(1).shape[0], x[1], view.integer("output_height"),
              view.integer("output_width")},
             ElementType::floating}};
  }
  /// Four products a sample; without sampling_ratio, four samples a bin are charged.
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const std::int64_t ratio = view.integer("sampling_ratio");
    const std::int64_t samples = elements_of(view.output()) * (ratio == 0 ? 4 : ratio * ratio);
    return {{"mul", 4 * samples}, {"add", 4 * samples}};
  }
  void forward(Evaluation& e) const override {
    const Tensor& x = *e.inputs[0];
    const RoiSampling sampling = sampling_of(e.view, x.shape);
    const bool max = e.view.text("mode") == "max";
    const std::int64_t channels = x.shape[1];
    e.parallel(e.outputs[0].shape[0], [&](std::int64_t roi) {
      const std::vector<std::vector<RoiSample>> bins =
          roi_bins(sampling, e.inputs[1]->values.data() + roi * 4);
      const std::int64_t image = roi_image(*e.inputs[2], roi, x.shape[0]);
      for (std::int64_t c = 0; c < channels; ++c)
        for (std::size_t bin = 0; bin < bins.size(); ++bin) {
          const double* plane = x.values.data() + (image * channels + c) * x.shape[2] * x.shape[3];
          const auto at = static_cast<std::size_t>(roi * channels + c) * bins.size() + bin;
          e.outputs[0].values[at] = pooled(e.internal, bins[bin], plane, max);
        }
    });
  }
  bool differentiable() const override { return true; }
  void gradient(GradientBuilder& g) const override {
    const NodeView view = g.view();
    if (g.wanted(1) || view.text("mode") == "max")
      throw base::InputError(
          "RoiAlign \"" + view.node().name + "\" has a gradient by x with mode avg only",
          "no-gradient");
    Attributes attributes = view.node().attributes;
    attributes["x_shape"] = view.input(0).shape;
    if (g.wanted(0))
      g.set_input_gradient(
          0, g.add("RoiAlignGradient", "dx",
                   {g.output_gradient(0), view.node().inputs[1], view.node().inputs[2]}, attributes,
                   gradient_role(g, 0)));
  }

 private:
  static double pooled(const precision::Rounder& internal, const std::vector<RoiSample>& samples,
                       const double* plane, bool max) {
    double result = 0.0;
    bool first = true;
    for (const RoiSample& sample : samples) {
      double value = 0.0;
      for (int corner = 0; corner < 4; ++corner) {
        const double part = internal(sample.weight[corner] * plane[sample.offset[corner]]);
        // The maximum is ONNX's: of the weighted corners, not of the interpolated values.
        value = max ? (corner == 0 ? part : std::max(value, part)) : internal(value + part);
      }
      result = !max ? internal(result + value) : first ? value : std::max(result, value);
      first = false;
    }
    if (max || samples.empty()) return result;
    return internal(result / static_cast<double>(samples.size()));
  }
};

class RoiAlignGradient final : public SimpleOp {
 public:
  RoiAlignGradient()
      : SimpleOp({"RoiAlignGradient", "gradient of RoiAlign by x from (dy, rois, batch_indices)",
                  OpClass::vector, 3, 3, with_shape(), true}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    check_roi_align(view, view.integers("x_shape"), view.input(1).shape, view.input(2).shape);
    return {{view.integers("x_shape"), ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const std::int64_t ratio = view.integer("sampling_ratio");
    const std::int64_t samples = elements_of(view.input(0)) * (ratio == 0 ? 4 : ratio * ratio);
    return {{"mul", 4 * samples}, {"add", 4 * samples}};
  }
  void forward(Evaluation& e) const override {
    Tensor& dx = e.outputs[0];
    std::fill(dx.values.begin(), dx.values.end(), 0.0);
    const RoiSampling sampling = sampling_of(e.view, dx.shape);
    const std::int64_t channels = dx.shape[1];
    for (std::int64_t roi = 0; roi < e.inputs[0]->shape[0]; ++roi) {
      const auto bins = roi_bins(sampling, e.inputs[1]->values.data() + roi * 4);
      const std::int64_t image = roi_image(*e.inputs[2], roi, dx.shape[0]);
      for (std::int64_t c = 0; c < channels; ++c)
        for (std::size_t bin = 0; bin < bins.size(); ++bin) {
          double* plane = dx.values.data() + (image * channels + c) * dx.shape[2] * dx.shape[3];
          const auto at = static_cast<std::size_t>(roi * channels + c) * bins.size() + bin;
          spread(e.internal, bins[bin], e.inputs[0]->values[at], plane);
        }
    }
  }

 private:
  static std::vector<AttributeSpec> with_shape() {
    std::vector<AttributeSpec> attributes = roi_attributes();
    attributes.push_back({"x_shape", Shape{}, true, "shape of the gradient"});
    return attributes;
  }
  static void spread(const precision::Rounder& internal, const std::vector<RoiSample>& samples,
                     double dy, double* plane) {
    if (samples.empty()) return;
    const double share = internal(dy / static_cast<double>(samples.size()));
    for (const RoiSample& sample : samples)
      for (int corner = 0; corner < 4; ++corner) {
        double& sum = plane[sample.offset[corner]];
        sum = internal(sum + internal(share * sample.weight[corner]));
      }
  }
};

}  // namespace

void register_detection(OpRegistry& registry) {
  registry.add(std::make_unique<NonMaxSuppression>());
  registry.add(std::make_unique<RoiAlign>());
  registry.add(std::make_unique<RoiAlignGradient>());
}

}  // namespace npusim::workloads
