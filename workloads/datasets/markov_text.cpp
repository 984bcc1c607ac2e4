// SPDX-License-Identifier: Apache-2.0
// Token sequences of a random grammar of order 2: after each pair of tokens one of four successors
// follows, with probabilities 1/2, 1/4, 1/8, 1/8 (entropy 1.75 bits: the loss cannot fall below
// 1.213 nats). The grammar depends on the seed only; sequences on split and index too. The label of
// a position is its next token.
#include <array>

#include "workloads/datasets/sources.h"
#include "workloads/random.h"

namespace npusim::workloads {
namespace {

class MarkovText final : public Dataset {
 public:
  MarkovText(const DatasetRequest& request, std::int64_t length)
      : grammar_(request.seed, "markov.grammar"),
        seed_(request.seed),
        name_(std::string("markov.") + name_of(request.split)),
        samples_(request.samples),
        length_(length),
        classes_(request.sample.classes) {}
  std::int64_t size() const override { return samples_; }
  std::int64_t classes() const override { return classes_; }
  void read(std::int64_t index, double* input, double* label) const override {
    const RandomStream stream(seed_, name_ + "." + std::to_string(index));
    const auto count = static_cast<std::uint64_t>(classes_);
    std::uint64_t before = stream.bits(0) % count, now = stream.bits(1) % count;
    for (std::int64_t i = 0; i < length_; ++i) {
      const std::uint64_t next =
          successor(before, now, stream.bits(static_cast<std::uint64_t>(i) + 2));
      input[i] = static_cast<double>(now);
      label[i] = static_cast<double>(next);
      before = now;
      now = next;
    }
  }

 private:
  std::uint64_t successor(std::uint64_t before, std::uint64_t now, std::uint64_t bits) const {
    static constexpr std::array<std::uint64_t, 8> kChoice = {0, 0, 0, 0, 1, 1, 2, 3};
    const auto count = static_cast<std::uint64_t>(classes_);
    // Few pairs differ in their row, so that a small network can learn the grammar.
    const std::uint64_t row = now * 4 + before % 4;
    return grammar_.bits(row * 4 + kChoice[bits >> 61]) % count;
  }

  RandomStream grammar_;
  std::uint64_t seed_;
  std::string name_;
  std::int64_t samples_, length_, classes_;
};

}  // namespace

std::unique_ptr<Dataset> make_markov_text(const DatasetRequest& request) {
  const SampleShape& sample = request.sample;
  const std::int64_t length = element_count(sample.input);
  if (length != element_count(sample.label) || sample.classes < 4)
    wrong_sample("markov", "tokens with one label each", sample);
  return std::make_unique<MarkovText>(request, length);
}

}  // namespace npusim::workloads
