// SPDX-License-Identifier: Apache-2.0
// Loss scaling as published: the trace of torch.amp.GradScaler, its collapse, floors, caps and
// hysteresis.
#include "workloads/training/loss_scaler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace npusim::workloads {
namespace {

using ::testing::ElementsAre;

LossScalingSpec dynamic() {
  LossScalingSpec spec;
  spec.kind = LossScalingSpec::Kind::dynamic;
  return spec;
}

/// Steps (from 0) that are skipped when every scale above `threshold` overflows.
std::vector<int> skipped_steps(LossScaler& scaler, float threshold, int steps) {
  std::vector<int> skipped;
  for (int step = 0; step < steps; ++step) {
    const bool finite = scaler.scale() <= threshold;
    if (!finite) skipped.push_back(step);
    scaler.update(finite);
  }
  return skipped;
}

TEST(LossScaler, TraceWithAHardThresholdHasAPeriodOf2001Steps) {
  LossScaler scaler(dynamic());
  EXPECT_THAT(skipped_steps(scaler, 1024.0f, 6100),
              ElementsAre(0, 1, 2, 3, 4, 5, 2006, 4007, 6008));
  EXPECT_EQ(scaler.scale(), 1024.0f);
}

TEST(LossScaler, WithoutAFloorTheScaleReachesZeroAfter166Overflows) {
  LossScaler scaler(dynamic());
  int infinite_inverse = -1;
  for (int overflow = 1; overflow <= 166; ++overflow) {
    EXPECT_GT(scaler.scale(), 0.0f) << overflow;
    scaler.update(false);
    if (infinite_inverse < 0 && std::isinf(scaler.inverse())) infinite_inverse = overflow;
  }
  EXPECT_EQ(scaler.scale(), 0.0f);
  EXPECT_EQ(infinite_inverse, 144);
}

TEST(LossScaler, GrowthStopsWhereTheScaleWouldBeInfinite) {
  LossScalingSpec spec = dynamic();
  spec.initial = 0x1p127;
  spec.interval = 1;
  LossScaler scaler(spec);
  scaler.update(true);
  EXPECT_EQ(scaler.scale(), 0x1p127f);
}

TEST(LossScaler, FloorAndCapHold) {
  LossScalingSpec spec = dynamic();
  spec.initial = 4.0;
  spec.interval = 1;
  spec.floor = 1.0;
  spec.cap = 16.0;
  LossScaler scaler(spec);
  for (int i = 0; i < 5; ++i) scaler.update(true);
  EXPECT_EQ(scaler.scale(), 16.0f);
  for (int i = 0; i < 9; ++i) scaler.update(false);
  EXPECT_EQ(scaler.scale(), 1.0f);
}

/// apex: an overflow with tolerance left keeps the scale but starts the growth count anew; a
/// finite step gives the tolerance back.
TEST(LossScaler, HysteresisToleratesSingleOverflows) {
  LossScalingSpec spec = dynamic();
  spec.initial = 1024.0;
  spec.interval = 3;
  spec.hysteresis = 2;
  LossScaler scaler(spec);
  scaler.update(true);
  scaler.update(true);
  scaler.update(false);  // tolerated; the count starts anew
  EXPECT_EQ(scaler.scale(), 1024.0f);
  scaler.update(true);
  scaler.update(true);
  EXPECT_EQ(scaler.scale(), 1024.0f);
  scaler.update(true);
  EXPECT_EQ(scaler.scale(), 2048.0f);
  scaler.update(false);
  scaler.update(false);
  EXPECT_EQ(scaler.scale(), 1024.0f);
  scaler.update(false);  // no tolerance until a finite step
  EXPECT_EQ(scaler.scale(), 512.0f);
}

TEST(LossScaler, StatisticsTakeTheLargestPowerOfTwoBelowTheLimit) {
  LossScalingSpec spec;
  spec.kind = LossScalingSpec::Kind::statistics;
  spec.initial = 8.0;
  spec.interval = 3;
  spec.margin = 2.0;
  LossScaler scaler(spec);
  scaler.update(true, 8.0 * 0.001);
  scaler.update(true, 8.0 * 0.25);
  EXPECT_EQ(scaler.scale(), 8.0f);
  scaler.update(true, 8.0 * 0.125);
  // 0.25 * S * 2 < 65504: S = 65536 (32768 < 65504); twice that would be 65536.
  EXPECT_EQ(scaler.scale(), 65536.0f);
}

TEST(LossScaler, ConstantAndNoneNeverChange) {
  LossScalingSpec spec;
  LossScaler none(spec);
  none.update(false);
  EXPECT_EQ(none.scale(), 1.0f);
  spec.kind = LossScalingSpec::Kind::constant;
  spec.initial = 128.0;
  LossScaler constant(spec);
  constant.update(false);
  EXPECT_EQ(constant.scale(), 128.0f);
}

}  // namespace
}  // namespace npusim::workloads
