// SPDX-License-Identifier: Apache-2.0
// Connectionist temporal classification (Graves et al. 2006, ICML): the loss of a sequence of steps
// whose alignment with a shorter sequence of labels is not known, -log of the summed probability of
// all alignments. Inputs: log-probabilities (samples, steps, classes) and labels (samples, length);
// labels below 0 fill up shorter sequences at their end. All steps of a sample count.
//
// An alignment names a class a step; equal neighbours are one label, then blanks are removed. With
// l' = blank, l1, blank, ..., lL, blank and y[t] the log-probabilities of step t:
//   forward   a[t][s] = log(sum of exp a[t-1][s], a[t-1][s-1], and a[t-1][s-2] unless l'[s] is the
//             blank or l'[s-2]) + y[t][l'[s]], starting with s 0 and 1,
//   backward  b[t][s] alike from the end, without y[t] itself,
//   loss      -log(exp a[T-1][2L] + exp a[T-1][2L-1]),
//   gradient by y[t][k]: minus the sum of exp(a[t][s] + b[t][s] + loss) over the s with l'[s] = k.
// Each subtraction, exp, addition and log rounds to the internal format. Where no alignment exists
// the loss is infinite and has no gradient (zeros).
#include <cmath>
#include <limits>

#include "workloads/ops/families.h"
#include "workloads/ops/loss_rows.h"

namespace npusim::workloads {
namespace {

constexpr double kImpossible = -std::numeric_limits<double>::infinity();

AttributeSpec blank_attribute() {
  return {"blank", std::int64_t{0}, false, "class of the blank"};
}

void check_ctc(const NodeView& view, int scores_input) {
  const Shape& scores = view.input(scores_input).shape;
  const TensorInfo& labels = view.input(scores_input + 1);
  if (scores.size() != 3)
    shape_error("the log-probabilities must have rank 3 (samples, steps, classes), not shape " +
                to_string(scores));
  if (labels.shape.size() != 2 || labels.shape[0] != scores[0] || !is_integer(labels.type))
    shape_error("the labels " + labels.name + " must be integers of shape [" +
                std::to_string(scores[0]) + ", length], not " + to_string(labels.shape));
  if (view.integer("blank") < 0 || view.integer("blank") >= scores[2])
    shape_error("attribute blank is no class");
  const std::string& reduction = view.text("reduction");
  if (reduction != "mean" && reduction != "sum" && reduction != "none")
    shape_error("attribute reduction \"" + reduction + "\" is none of mean, sum, none");
}

/// Steps times places between and on the labels, of all samples.
std::int64_t cells(const Shape& scores, const Shape& labels) {
  return scores[0] * scores[1] * (2 * labels[1] + 1);
}

/// log(sum(exp(x))) of two or three terms; each step rounded.
class LogSum {
 public:
  explicit LogSum(const VectorArithmetic& internal) : internal_(internal) {}
  double operator()(double a, double b, double c = kImpossible) const {
    const double max = std::max(a, std::max(b, c));
    if (max == kImpossible) return max;
    double sum = 0.0;
    for (const double x : {a, b, c})
      if (x != kImpossible) sum = internal_(sum + internal_(internal_.exp(internal_(x - max))));
    return internal_(max + internal_(internal_.log(sum)));
  }

 private:
  const VectorArithmetic& internal_;
};

/// One sample: its labels with blanks, and the forward and backward passes over its steps.
class Alignments {
 public:
  Alignments(const Evaluation& e, int scores_input, std::int64_t sample)
      : internal_(e.internal),
        log_sum_(e.internal),
        scores_(*e.inputs[static_cast<std::size_t>(scores_input)]),
        steps_(static_cast<std::size_t>(scores_.shape[1])),
        classes_(static_cast<std::size_t>(scores_.shape[2])),
        first_(static_cast<std::size_t>(sample) * steps_ * classes_) {
    read_labels(*e.inputs[static_cast<std::size_t>(scores_input) + 1], sample,
                e.view.integer("blank"));
  }

  double loss() {
    run_forward();
    const std::size_t last = (steps_ - 1) * places();
    const double before = places() > 1 ? forward_[last + places() - 2] : kImpossible;
    return 0.0 - log_sum_(forward_[last + places() - 1], before);
  }

  /// Adds -scale * share of the alignments that are at class k in step t to dx.
  void add_gradient(double scale, std::vector<double>& dx) {
    const double total = loss();
    if (std::isinf(total)) return;
    run_backward();
    for (std::size_t t = 0; t < steps_; ++t)
      for (std::size_t s = 0; s < places(); ++s) {
        const double path = internal_(forward_[t * places() + s] + backward_[t * places() + s]);
        if (path == kImpossible) continue;
        const double share = internal_(internal_.exp(internal_(path + total)));
        double& into = dx[at(t, s)];
        into = internal_(into - internal_(share * scale));
      }
  }

 private:
  void read_labels(const Tensor& labels, std::int64_t sample, std::int64_t blank) {
    const std::int64_t length = labels.shape[1];
    places_.push_back(blank);
    bool ended = false;
    for (std::int64_t i = 0; i < length; ++i) {
      const auto label =
          static_cast<std::int64_t>(labels.values[static_cast<std::size_t>(sample * length + i)]);
      ended = ended || label < 0;
      if (label < 0) continue;
      if (ended || label == blank || label >= static_cast<std::int64_t>(classes_))
        throw base::InputError(
            "label " + std::to_string(label) + " at " + std::to_string(i) + " of sample " +
                std::to_string(sample) +
                (ended ? " stands behind the end of its sequence"
                       : " is the blank or no class below " + std::to_string(classes_)),
            "out-of-range");
      places_.push_back(label);
      places_.push_back(blank);
    }
  }

  std::size_t places() const { return places_.size(); }
  std::size_t at(std::size_t step, std::size_t place) const {
    return first_ + step * classes_ + static_cast<std::size_t>(places_[place]);
  }
  /// True when an alignment may go on from place s to s + 2, leaving out the blank between.
  bool skips(std::size_t s) const {
    return s + 2 < places() && places_[s + 2] != places_[0] && places_[s + 2] != places_[s];
  }

  void run_forward() {
    forward_.assign(steps_ * places(), kImpossible);
    for (std::size_t s = 0; s < std::min<std::size_t>(2, places()); ++s)
      forward_[s] = scores_.values[at(0, s)];
    for (std::size_t t = 1; t < steps_; ++t) {
      const double* from = &forward_[(t - 1) * places()];
      for (std::size_t s = 0; s < places(); ++s) {
        const double sum = log_sum_(from[s], s > 0 ? from[s - 1] : kImpossible,
                                    s > 1 && skips(s - 2) ? from[s - 2] : kImpossible);
        forward_[t * places() + s] = internal_(sum + scores_.values[at(t, s)]);
      }
    }
  }

  void run_backward() {
    backward_.assign(steps_ * places(), kImpossible);
    for (std::size_t s = places() - std::min<std::size_t>(2, places()); s < places(); ++s)
      backward_[(steps_ - 1) * places() + s] = 0.0;
    std::vector<double> next(places());
    for (std::size_t t = steps_ - 1; t-- > 0;) {
      for (std::size_t s = 0; s < places(); ++s)
        next[s] = internal_(backward_[(t + 1) * places() + s] + scores_.values[at(t + 1, s)]);
      for (std::size_t s = 0; s < places(); ++s)
        backward_[t * places() + s] =
            log_sum_(next[s], s + 1 < places() ? next[s + 1] : kImpossible,
                     skips(s) ? next[s + 2] : kImpossible);
    }
  }

  const VectorArithmetic& internal_;
  LogSum log_sum_;
  const Tensor& scores_;
  std::size_t steps_, classes_, first_;
  std::vector<std::int64_t> places_;  ///< l'
  std::vector<double> forward_, backward_;
};

class CtcLoss final : public SimpleOp {
 public:
  CtcLoss()
      : SimpleOp(
            {"CtcLoss",
             "connectionist temporal classification: -log of the probability of all alignments",
             OpClass::vector,
             2,
             2,
             {blank_attribute(), reduction_attribute()},
             true}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    check_ctc(view, 0);
    return {{reduced_shape(view, {view.input(0).shape[0]}), ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const std::int64_t n = cells(view.input(0).shape, view.input(1).shape);
    return {{"max", 2 * n}, {"add", 7 * n}, {"exp", 3 * n}, {"log", n}, {"div", 1}};
  }
  void forward(Evaluation& e) const override {
    const std::int64_t samples = e.inputs[0]->shape[0];
    const bool each = e.view.text("reduction") == "none";
    std::vector<double>& y = e.outputs[0].values;
    double sum = 0.0;
    for (std::int64_t i = 0; i < samples; ++i) {
      const double loss = Alignments(e, 0, i).loss();
      if (each)
        y[static_cast<std::size_t>(i)] = loss;
      else
        sum = e.internal(sum + loss);
    }
    const bool mean = e.view.text("reduction") == "mean";
    if (!each) y[0] = mean ? e.internal(sum / static_cast<double>(samples)) : sum;
  }
  bool differentiable() const override { return true; }
  void gradient(GradientBuilder& g) const override {
    const Node& node = g.view().node();
    if (g.wanted(0))
      g.set_input_gradient(
          0, g.add("CtcLossGradient", "dx", {g.output_gradient(0), node.inputs[0], node.inputs[1]},
                   node.attributes, gradient_role(g, 0)));
  }
};

class CtcLossGradient final : public SimpleOp {
 public:
  CtcLossGradient()
      : SimpleOp({"CtcLossGradient",
                  "gradient of CtcLoss from (dloss, log-probabilities, labels)",
                  OpClass::vector,
                  3,
                  3,
                  {blank_attribute(), reduction_attribute()},
                  true}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    check_ctc(view, 1);
    return {{view.input(1).shape, ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const std::int64_t n = cells(view.input(1).shape, view.input(2).shape);
    return {{"max", 4 * n}, {"add", 18 * n}, {"exp", 7 * n}, {"log", 2 * n}, {"mul", n}};
  }
  void forward(Evaluation& e) const override {
    const std::int64_t samples = e.inputs[1]->shape[0];
    const std::vector<double>& dloss = e.inputs[0]->values;
    const std::string& reduction = e.view.text("reduction");
    std::vector<double>& dx = e.outputs[0].values;
    std::fill(dx.begin(), dx.end(), 0.0);
    const double shared =
        reduction == "mean" ? e.internal(dloss[0] / static_cast<double>(samples)) : dloss[0];
    for (std::int64_t i = 0; i < samples; ++i)
      Alignments(e, 1, i).add_gradient(
          reduction == "none" ? dloss[static_cast<std::size_t>(i)] : shared, dx);
  }
};

}  // namespace

void register_ctc_loss(OpRegistry& registry) {
  registry.add(std::make_unique<CtcLoss>());
  registry.add(std::make_unique<CtcLossGradient>());
}

}  // namespace npusim::workloads
