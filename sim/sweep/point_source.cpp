// SPDX-License-Identifier: Apache-2.0
#include "sim/sweep/point_source.h"

#include "sim/sweep/refinement.h"

namespace npusim::sim {
namespace {

class EveryPoint : public PointSource {
 public:
  using PointSource::PointSource;
  std::optional<std::int64_t> next() override {
    if (exhausted()) return {};
    return next_++;
  }
  bool exhausted() const override { return next_ == size(); }
  void done(std::int64_t, const PointOutcome&) override {}
  void skip(std::int64_t) override {}

 private:
  std::int64_t next_ = 0;
};

}  // namespace

std::unique_ptr<PointSource> make_source(const Sweep& sweep) {
  if (sweep.refine_stride > 0) return make_refinement(sweep);
  return std::make_unique<EveryPoint>(sweep);
}

}  // namespace npusim::sim
