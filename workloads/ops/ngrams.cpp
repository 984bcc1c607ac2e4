// SPDX-License-Identifier: Apache-2.0
// TfIdfVectorizer over integers: counts of n-grams from a pool, plain (TF), as presence weighted
// (IDF) or counted and weighted (TFIDF). Elements of an n-gram may be up to max_skip_count apart.
#include <map>

#include "workloads/ops/families.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {
namespace {

using Integers = std::vector<std::int64_t>;

class TfIdfVectorizer final : public SimpleOp {
 public:
  TfIdfVectorizer()
      : SimpleOp({"TfIdfVectorizer",
                  "counts of the n-grams of a pool in each row of x",
                  OpClass::vector,
                  1,
                  1,
                  {{"max_gram_length", std::int64_t{1}, true, "longest n-gram to count"},
                   {"max_skip_count", std::int64_t{0}, true, "most elements left out in between"},
                   {"min_gram_length", std::int64_t{1}, true, "shortest n-gram to count"},
                   {"mode", std::string("TF"), true, "TF, IDF or TFIDF"},
                   {"ngram_counts", Integers{}, true, "where the n-grams of each length start"},
                   {"ngram_indexes", Integers{}, true, "place of each n-gram in the result"},
                   {"pool_int64s", Integers{}, false, "all n-grams, one after the other"},
                   {"weights", std::vector<double>{}, false, "of each n-gram; default 1"}}}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    const Shape& x = view.input(0).shape;
    if (x.empty() || x.size() > 2) shape_error("x must have rank 1 or 2, not " + to_string(x));
    check_attributes(view);
    std::int64_t places = 0;
    for (const std::int64_t index : view.integers("ngram_indexes"))
      places = std::max(places, index + 1);
    return {{x.size() == 1 ? Shape{places} : Shape{x[0], places}, ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const std::int64_t windows = elements_of(view.input(0)) * view.integer("max_gram_length") *
                                 (view.integer("max_skip_count") + 1);
    return {{"compare", windows}, {"add", windows}, {"mul", elements_of(view.output())}};
  }
  void forward(Evaluation& e) const override {
    const Tensor& x = *e.inputs[0];
    Tensor& y = e.outputs[0];
    const std::map<std::vector<double>, std::size_t> pool = pool_of(e.view);
    const auto length = static_cast<std::size_t>(x.shape.back());
    const auto places = static_cast<std::size_t>(y.shape.back());
    const std::size_t rows = x.shape.size() == 1 ? 1 : static_cast<std::size_t>(x.shape[0]);
    std::fill(y.values.begin(), y.values.end(), 0.0);
    for (std::size_t row = 0; row < rows; ++row) {
      double* counts = y.values.data() + row * places;
      count_row(e.view, pool, x.values.data() + row * length, length, counts);
      weigh(e, counts);
    }
  }

 private:
  static void check_attributes(const NodeView& view) {
    const Integers& counts = view.integers("ngram_counts");
    const auto pool = static_cast<std::int64_t>(view.integers("pool_int64s").size());
    const auto size = static_cast<std::int64_t>(counts.size());
    if (pool == 0)
      throw base::InputError("pools of strings are not supported", "unsupported-attribute");
    bool rising = true;
    for (std::size_t i = 0; i < counts.size(); ++i)
      rising = rising && counts[i] >= (i == 0 ? 0 : counts[i - 1]) && counts[i] <= pool;
    const std::int64_t shortest = view.integer("min_gram_length");
    const std::int64_t longest = view.integer("max_gram_length");
    if (!rising || shortest < 1 || longest < shortest || longest > size ||
        view.integer("max_skip_count") < 0 || view.integer("max_skip_count") > (1 << 20))
      shape_error("ngram_counts, the lengths and the pool do not fit together");
    std::size_t grams = 0;
    for (std::size_t n = 1; n <= counts.size(); ++n) {
      const std::int64_t end = n < counts.size() ? counts[n] : pool;
      if ((end - counts[n - 1]) % static_cast<std::int64_t>(n) != 0)
        shape_error("the pool ends inside an n-gram");
      grams += static_cast<std::size_t>(end - counts[n - 1]) / n;
    }
    const Integers& indexes = view.integers("ngram_indexes");
    if (indexes.size() != grams || std::any_of(indexes.begin(), indexes.end(), [](std::int64_t i) {
          return i < 0 || i > (1 << 30);
        }))
      shape_error("ngram_indexes must name a place for each of the n-grams");
    const auto& weights = weights_of(view);
    if (!weights.empty() && weights.size() != grams)
      shape_error("there must be one weight an n-gram");
    const std::string& mode = view.text("mode");
    if (mode != "TF" && mode != "IDF" && mode != "TFIDF")
      shape_error("mode \"" + mode + "\" is none of TF, IDF, TFIDF");
  }

  static const std::vector<double>& weights_of(const NodeView& view) {
    return std::get<std::vector<double>>(view.node().attributes.at("weights"));
  }

  /// n-gram -> its number in ngram_indexes.
  static std::map<std::vector<double>, std::size_t> pool_of(const NodeView& view) {
    const Integers& counts = view.integers("ngram_counts");
    const Integers& pool = view.integers("pool_int64s");
    std::map<std::vector<double>, std::size_t> result;
    std::size_t number = 0;
    for (std::size_t n = 1; n <= counts.size(); ++n) {
      const auto end = n < counts.size() ? static_cast<std::size_t>(counts[n]) : pool.size();
      for (auto at = static_cast<std::size_t>(counts[n - 1]); at < end; at += n) {
        const auto first = pool.begin() + static_cast<std::ptrdiff_t>(at);
        result[{first, first + static_cast<std::ptrdiff_t>(n)}] = number++;
      }
    }
    return result;
  }

  static void count_row(const NodeView& view,
                        const std::map<std::vector<double>, std::size_t>& pool, const double* x,
                        std::size_t length, double* counts) {
    const auto longest = static_cast<std::size_t>(view.integer("max_gram_length"));
    const auto skips = static_cast<std::size_t>(view.integer("max_skip_count"));
    for (auto n = static_cast<std::size_t>(view.integer("min_gram_length")); n <= longest; ++n)
      for (std::size_t skip = 0; skip <= (n == 1 ? 0 : skips); ++skip)
        for (std::size_t start = 0; start + (n - 1) * (skip + 1) < length; ++start) {
          std::vector<double> gram;
          for (std::size_t i = 0; i < n; ++i) gram.push_back(x[start + i * (skip + 1)]);
          const auto found = pool.find(gram);
          if (found != pool.end()) counts[view.integers("ngram_indexes")[found->second]] += 1.0;
        }
  }

  static void weigh(const Evaluation& e, double* counts) {
    const std::string& mode = e.view.text("mode");
    if (mode == "TF") return;
    const std::vector<double>& weights = weights_of(e.view);
    const Integers& indexes = e.view.integers("ngram_indexes");
    for (std::size_t i = 0; i < indexes.size(); ++i) {
      double& count = counts[indexes[i]];
      const double weight = weights.empty() ? 1.0 : weights[i];
      if (count > 0.0) count = mode == "IDF" ? weight : e.internal(count * weight);
    }
  }
};

}  // namespace

void register_ngrams(OpRegistry& registry) {
  registry.add(std::make_unique<TfIdfVectorizer>());
}

}  // namespace npusim::workloads
