// SPDX-License-Identifier: Apache-2.0
#include "sim/sampled_numerics.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/hash.h"
#include "precision/indexed_rounding.h"
#include "sim/matrix_engines.h"
#include "workloads/detmath.h"
#include "workloads/evaluate.h"
#include "workloads/ops/product_layout.h"
#include "workloads/random.h"

namespace npusim::sim {
namespace {

using workloads::Graph;
using workloads::Node;
using workloads::OperandLayout;
using workloads::ProductLayout;
using workloads::TensorId;
using workloads::TensorInfo;

using Indices = std::vector<std::int64_t>;

constexpr std::int64_t kRows = 32;        ///< of the only product, and columns
constexpr std::int64_t kRowsOfEach = 16;  ///< of each of several
constexpr std::int64_t kMostProducts = 4;

/// `count` different numbers below `size`, ascending (Floyd's algorithm, 1987).
Indices drawn(std::int64_t count, std::int64_t size, const workloads::RandomStream& stream,
              std::uint64_t& next) {
  std::set<std::int64_t> chosen;
  for (std::int64_t last = std::max<std::int64_t>(0, size - count); last < size; ++last) {
    const double share = workloads::unit_interval(stream.bits(next++));
    const auto at = static_cast<std::int64_t>(share * static_cast<double>(last + 1));
    if (!chosen.insert(at).second) chosen.insert(last);
  }
  return {chosen.begin(), chosen.end()};
}

bool moves_elements(const std::string& op) {
  static const std::set<std::string> kOps = {
      "Reshape", "Transpose", "Identity", "Cast",   "Squeeze", "Unsqueeze",   "Flatten",
      "Expand",  "Slice",     "Split",    "Concat", "Gather",  "ChannelOrder"};
  return kOps.count(op) > 0;
}

/// True for those that leave each element in its channel (the last dimension).
bool keeps_channels(const Node& node) {
  static const std::set<std::string> kOps = {"Reshape",   "Identity", "Cast",  "Squeeze",
                                             "Unsqueeze", "Flatten",  "Gather"};
  const auto axis = node.attributes.find("axis");
  const bool along_rows = axis == node.attributes.end() ||
                          std::get<std::int64_t>(axis->second) == 0 || node.op != "Gather";
  return kOps.count(node.op) > 0 && along_rows;
}

bool is_activation(const Node& node) {
  static const std::set<std::string> kOps = {"Clip", "Gelu",    "HardSwish", "LeakyRelu", "Mish",
                                             "Relu", "Sigmoid", "Swish",     "Tanh"};
  return kOps.count(node.op) > 0 && node.inputs.size() == 1;
}

/// An element-wise op on values, in FP64.
void apply(const Node& node, double* values, std::size_t count) {
  Graph graph;
  TensorInfo info;
  info.name = "x";
  info.shape = {static_cast<std::int64_t>(count)};
  const TensorId x = graph.add_tensor(info);
  graph.add_node(node.op, node.name, {x}, node.attributes, {"y"});
  workloads::Tensor drawn(info.shape);
  drawn.values.assign(values, values + count);
  const precision::ParallelFor serial = precision::serial();
  const workloads::Tensor y =
      workloads::evaluate(graph, graph.nodes[0], {&drawn}, HostEngine(serial), {}, serial)[0];
  std::copy(y.values.begin(), y.values.end(), values);
}

/// Where the elements of a tensor come from: a tensor with initial values, or draws through what
/// wrote it.
struct Source {
  TensorId tensor = workloads::kNoTensor;  ///< with initial values, perhaps moved around
  const Node* writer = nullptr;  ///< of draws: an activation, Softmax or a normalisation of rows
};

class Sampler {
 public:
  Sampler(const npu::MappedGraph& mapped, const NumericOptions& options)
      : mapped_(mapped),
        graph_(mapped.graph),
        options_(options),
        writers_(workloads::writers(graph_)) {}

  /// nullopt: not one of the products that are sampled.
  std::optional<SampledOpError> sample(const npu::MappedOp& op) const {
    if (!op.gemm || op.gemm->winograd || op.engine != npu::Engine::matrix) return std::nullopt;
    const Node& node = graph_.nodes[static_cast<std::size_t>(op.node)];
    const std::optional<ProductLayout> layout =
        workloads::product_layout(workloads::NodeView(graph_, node));
    if (!layout || graph_.tensor(node.outputs[0]).type != workloads::ElementType::floating)
      return std::nullopt;
    NPUSIM_CHECK(op.gemm->plan.terms() == layout->k, "the plan was made for another K");
    return Product(*this, node, op, *layout).error();
  }

 private:
  Source source_of(TensorId id) const {
    Source source;
    bool in_channels = true;
    for (;;) {
      if (graph_.tensor(id).initializer) {
        source.tensor = id;
        return source;
      }
      const int writer = writers_[static_cast<std::size_t>(id)];
      if (writer < 0) return source;
      const Node& node = graph_.nodes[static_cast<std::size_t>(writer)];
      const bool norm = node.op == "LayerNormalization" || node.op == "RMSNormalization";
      if (node.op == "Softmax" || is_activation(node) || (norm && in_channels)) {
        source.writer = &node;
        return source;
      }
      if (!moves_elements(node.op) || node.inputs.empty()) return source;
      in_channels = in_channels && keeps_channels(node);
      id = node.inputs[0];
    }
  }

  workloads::Initializer initializer_of(const TensorInfo& info) const {
    workloads::Initializer from_file;
    from_file.kind = workloads::Initializer::Kind::file;
    if (const auto file = options_.files.find(info.name); file != options_.files.end()) {
      from_file.path = file->second;
      return from_file;
    }
    const bool weight = info.role == workloads::TensorRole::weight ||
                        info.role == workloads::TensorRole::master_weight;
    if (options_.weights.empty() || !weight) return *info.initializer;
    from_file.path = options_.weights;
    from_file.tensor = workloads::values_name(info);
    return from_file;
  }

  /// Unrounded elements of a tensor. Indices of a tensor that others moved elements from count in
  /// the order in which it is stored.
  void read(TensorId id, Indices indices, double* out) const {
    const TensorInfo& info = graph_.tensor(id);
    const Source source = source_of(id);
    if (source.tensor != workloads::kNoTensor) {
      const TensorInfo& from = graph_.tensor(source.tensor);
      const std::int64_t count = workloads::element_count(from.shape);
      for (std::int64_t& index : indices) index %= count;
      return workloads::make_elements(initializer_of(from), from.shape, from.type, from.name,
                                      options_.seed, indices, out);
    }
    workloads::make_elements(options_.activations, info.shape, workloads::ElementType::floating,
                             info.name + "/sampled", options_.seed, indices, out);
    if (source.writer != nullptr) through(*source.writer, indices, out);
  }

  /// What a node makes of normal draws.
  void through(const Node& node, const Indices& indices, double* out) const {
    if (is_activation(node)) return apply(node, out, indices.size());
    if (node.op == "Softmax") {
      constexpr double kMeanOfExp = 1.6487212707001282;  // of a standard normal number: e^0.5
      const auto length = static_cast<double>(graph_.tensor(node.outputs[0]).shape.back());
      for (std::size_t i = 0; i < indices.size(); ++i)
        out[i] = workloads::det_exp(out[i]) / (length * kMeanOfExp);
      return;
    }
    std::vector<double> parameters(indices.size());
    for (std::size_t input = 1; input < node.inputs.size(); ++input) {  // gain, then offset
      const TensorId id = node.inputs[input];
      if (id == workloads::kNoTensor) continue;
      read(id, indices, parameters.data());
      for (std::size_t i = 0; i < indices.size(); ++i)
        out[i] = input == 1 ? out[i] * parameters[i] : out[i] + parameters[i];
    }
  }

  /// Sampled elements of one op's output.
  class Product {
   public:
    Product(const Sampler& sampler, const Node& node, const npu::MappedOp& op,
            const ProductLayout& layout)
        : s_(sampler), node_(node), op_(op), layout_(layout) {}

    SampledOpError error() {
      const workloads::RandomStream stream(s_.options_.seed, node_.name + "/sample");
      std::uint64_t next = 0;
      const bool several = layout_.products > 1;
      const std::int64_t rows = several ? kRowsOfEach : kRows;
      for (const std::int64_t product : drawn(kMostProducts, layout_.products, stream, next)) {
        const Indices a = drawn(rows, layout_.a.rows, stream, next);
        const Indices b = drawn(rows, layout_.b.rows, stream, next);
        compute(product, a, b);
      }
      return result();
    }

   private:
    /// Rows of an operand, as the machine reads them.
    std::vector<double> gathered(const OperandLayout& layout, std::int64_t product,
                                 const Indices& rows, std::vector<double>& seen) const {
      Indices indices;
      std::vector<std::size_t> places;
      for (std::size_t r = 0; r < rows.size(); ++r)
        for (std::int64_t k = 0; k < layout_.k; ++k)
          if (const std::int64_t at = layout.element(product, rows[r], k); at >= 0) {
            indices.push_back(at);
            places.push_back(r * static_cast<std::size_t>(layout_.k) + static_cast<std::size_t>(k));
          }
      const std::vector<double> values = read_rounded(layout.input, indices);
      seen.insert(seen.end(), values.begin(), values.end());
      std::vector<double> matrix(rows.size() * static_cast<std::size_t>(layout_.k), 0.0);
      for (std::size_t i = 0; i < places.size(); ++i) matrix[places[i]] = values[i];
      return matrix;
    }

    std::vector<double> read_rounded(int input, const Indices& indices) const {
      const TensorId id = node_.inputs[static_cast<std::size_t>(input)];
      std::vector<double> values(indices.size());
      s_.read(id, indices, values.data());
      round(values, id);
      return values;
    }

    void round(std::vector<double>& values, TensorId id) const {
      precision::RandomKey key = precision::derived_key({}, s_.options_.seed);
      key = precision::derived_key(key, base::fnv1a(s_.graph_.tensor(id).name));
      precision::round_indexed(values.data(), values.data(),
                               static_cast<std::int64_t>(values.size()),
                               s_.mapped_.storage[static_cast<std::size_t>(id)], key, 0);
    }

    void compute(std::int64_t product, const Indices& a, const Indices& b) {
      const std::vector<double> rows = gathered(layout_.a, product, a, seen_a_);
      const std::vector<double> columns = gathered(layout_.b, product, b, seen_b_);
      const auto m = static_cast<std::int64_t>(a.size());
      const auto n = static_cast<std::int64_t>(b.size());
      const precision::MatrixRows of_a(rows.data(), m, layout_.k, layout_.k, 1);
      const precision::MatrixRows of_b(columns.data(), n, layout_.k, layout_.k, 1);
      std::vector<double> bias_values;
      precision::Bias bias;
      if (layout_.bias_input >= 0) {
        const bool by_row = layout_.bias_axis == precision::Bias::Axis::by_row;
        Indices at = by_row ? a : b;
        const std::int64_t first = product * (by_row ? layout_.a.rows : layout_.b.rows);
        for (std::int64_t& index : at) index += first;
        bias_values = read_rounded(layout_.bias_input, at);
        bias = {layout_.bias_axis, bias_values.data()};
      }
      std::vector<double> y(static_cast<std::size_t>(m * n)), exact(y.size());
      precision::MatrixOutput to_y(y.data(), n), to_exact(exact.data(), n);
      const precision::ParallelFor serial = precision::serial();
      precision::RandomKey key = precision::derived_key({}, s_.options_.seed);
      key = precision::derived_key(key, static_cast<std::uint64_t>(op_.node));
      precision::emulated_gemm(op_.gemm->unit, op_.gemm->plan, of_a, of_b, bias, to_y, serial,
                               precision::derived_key(key, static_cast<std::uint64_t>(product)));
      precision::reference_gemm(layout_.k, of_a, of_b, bias, to_exact, serial);
      round(y, node_.outputs[0]);
      blocks_.push_back({y_.size(), static_cast<std::size_t>(m), static_cast<std::size_t>(n)});
      y_.insert(y_.end(), y.begin(), y.end());
      exact_.insert(exact_.end(), exact.begin(), exact.end());
    }

    /// Variance of the ratio that clusters of one kind bring, not yet divided by the sum of squares
    /// of the reference; `sampled` of `all` clusters were drawn.
    static double variance(const std::vector<double>& sums, std::int64_t all) {
      const auto count = static_cast<double>(sums.size());
      if (sums.size() < 2) return 0.0;
      double squares = 0.0;
      for (const double sum : sums) squares += sum * sum;
      const double missing = 1.0 - count / static_cast<double>(all);
      return squares * count / (count - 1.0) * missing;
    }

    void add_interval(SampledOpError& error) const {
      double errors = 0.0, references = 0.0;
      for (std::size_t i = 0; i < y_.size(); ++i) {
        errors += (y_[i] - exact_[i]) * (y_[i] - exact_[i]);
        references += exact_[i] * exact_[i];
      }
      if (!(references > 0.0) || !std::isfinite(errors)) return;
      const double ratio = errors / references;
      std::vector<double> by_row, by_column;
      for (const Block& block : blocks_) {
        std::vector<double> rows(block.rows, 0.0), columns(block.columns, 0.0);
        for (std::size_t r = 0; r < block.rows; ++r)
          for (std::size_t c = 0; c < block.columns; ++c) {
            const std::size_t at = block.first + r * block.columns + c;
            const double apart = y_[at] - exact_[at];
            const double off = apart * apart - ratio * exact_[at] * exact_[at];
            rows[r] += off;
            columns[c] += off;
          }
        by_row.insert(by_row.end(), rows.begin(), rows.end());
        by_column.insert(by_column.end(), columns.begin(), columns.end());
      }
      const double total = variance(by_row, layout_.products * layout_.a.rows) +
                           variance(by_column, layout_.products * layout_.b.rows);
      // Clusters of a kind that was drawn whole bring no uncertainty: one row of a decoding step.
      std::int64_t fewest = std::numeric_limits<std::int64_t>::max();
      for (const auto& [drawn_of_kind, all] :
           {std::pair{by_row.size(), layout_.products * layout_.a.rows},
            std::pair{by_column.size(), layout_.products * layout_.b.rows}})
        if (static_cast<std::int64_t>(drawn_of_kind) < all)
          fewest = std::min(fewest, static_cast<std::int64_t>(drawn_of_kind));
      const double half = student_quantile_95(std::max<std::int64_t>(1, fewest - 1)) *
                          std::sqrt(total) / references;
      error.rel_fro_low = std::sqrt(std::max(0.0, ratio - half));
      error.rel_fro_high = std::sqrt(ratio + half);
    }

    SampledOpError result() const {
      SampledOpError error;
      error.node = node_.name;
      error.op = node_.op;
      error.phase = workloads::name_of(node_.phase);
      error.plan = precision::describe(op_.gemm->plan);
      error.elements = static_cast<std::int64_t>(y_.size());
      error.of_elements = layout_.products * layout_.a.rows * layout_.b.rows;
      const auto& format = s_.mapped_.storage[static_cast<std::size_t>(node_.outputs[0])].format;
      error.local = precision::compare(y_.data(), exact_.data(), error.elements, format);
      add_interval(error);
      add_inputs(error);
      return error;
    }

    void add_inputs(SampledOpError& error) const {
      for (int input = 0; input < 2; ++input) {
        const std::vector<double>& seen = layout_.a.input == input ? seen_a_ : seen_b_;
        const TensorId id = node_.inputs[static_cast<std::size_t>(input)];
        error.inputs.push_back(
            {s_.graph_.tensor(id).name,
             precision::distribution_of(seen.data(), static_cast<std::int64_t>(seen.size()),
                                        precision::serial())});
      }
    }

    struct Block {
      std::size_t first, rows, columns;  ///< in y_, row-major
    };
    const Sampler& s_;
    const Node& node_;
    const npu::MappedOp& op_;
    const ProductLayout& layout_;
    std::vector<Block> blocks_;
    std::vector<double> y_, exact_, seen_a_, seen_b_;
  };

  const npu::MappedGraph& mapped_;
  const Graph& graph_;
  const NumericOptions& options_;
  std::vector<int> writers_;
};

std::string text_of(const workloads::Initializer& draws) {
  std::string text = workloads::name_of(draws.kind);
  if (draws.kind == workloads::Initializer::Kind::normal)
    text += " mean " + std::to_string(draws.mean) + " stddev " + std::to_string(draws.stddev);
  if (draws.kind == workloads::Initializer::Kind::uniform)
    text += " " + std::to_string(draws.low) + " to " + std::to_string(draws.high);
  return text;
}

}  // namespace

double student_quantile_95(std::int64_t degrees_of_freedom) {
  static const double kFew[] = {12.706, 4.303, 3.182, 2.776};
  if (degrees_of_freedom < 5) return kFew[std::max<std::int64_t>(1, degrees_of_freedom) - 1];
  // Cornish and Fisher's expansion about the normal quantile 1.959964 (Abramowitz and Stegun,
  // 26.7.5).
  const auto n = static_cast<double>(degrees_of_freedom);
  return 1.959964 + (2.372272 + (2.822513 + 2.555867 / n) / n) / n;
}

SampledNumerics sample_numerics(const npu::MappedGraph& mapped, const NumericOptions& options,
                                const precision::ParallelFor& parallel) {
  SampledNumerics result;
  result.macs = mapped.graph.mac_count();
  result.most_macs = options.most_macs;
  result.activations = text_of(options.activations);
  const Sampler sampler(mapped, options);
  std::vector<std::optional<SampledOpError>> errors(mapped.ops.size());
  std::atomic<std::size_t> done{0};
  const auto sample = [&](std::int64_t i) {
    if (options.interrupted && options.interrupted())
      throw Interrupted{std::to_string(done.load()) + " of " + std::to_string(errors.size()) +
                        " ops"};
    const npu::MappedOp& op = mapped.ops[static_cast<std::size_t>(i)];
    errors[static_cast<std::size_t>(i)] = sampler.sample(op);
    ++done;
    // As the total counts them: by Winograd arrays multiply less.
    const bool winograd = op.gemm && op.gemm->winograd;
    const std::int64_t macs = winograd ? op.gemm->winograd->convolution.macs() : op.macs;
    if (options.progress)
      options.progress(static_cast<double>(macs),
                       mapped.graph.nodes[static_cast<std::size_t>(op.node)].name);
  };
  // Files are read one at a time.
  const bool files = !options.weights.empty() || !options.files.empty();
  (files ? precision::serial() : parallel)(static_cast<std::int64_t>(errors.size()), sample);
  for (std::size_t i = 0; i < errors.size(); ++i) {
    const npu::MappedOp& op = mapped.ops[i];
    const Node& node = mapped.graph.nodes[static_cast<std::size_t>(op.node)];
    if (errors[i])
      result.by_op.push_back(std::move(*errors[i]));
    else
      ++result.skipped[node.op];
  }
  return result;
}

}  // namespace npusim::sim
