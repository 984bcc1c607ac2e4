// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <random>

#include "case.h"
#include "precision/gemm.h"
#include "two_threads.h"
#include "units.h"
#include "yardsticks.h"

namespace npusim::bench {
namespace {

using precision::MacUnit;
using precision::ParallelFor;

constexpr std::int64_t kSize = 512;
constexpr double kMacs = 1.0 * kSize * kSize * kSize;

enum class Data { normal, relu, integers };
constexpr Data kAllData[] = {Data::normal, Data::relu, Data::integers};

const char* name_of(Data data) {
  if (data == Data::normal) return "normal";
  return data == Data::relu ? "relu" : "integers";
}

/// Values of the format: normally distributed, the same with its negative half set to zero, or
/// small integers, whose sums are exact for long and then tie often.
std::vector<float> operand(Data data, const precision::Format& format, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  std::uniform_int_distribution<int> integer(-8, 8);
  std::vector<float> values(static_cast<std::size_t>(kSize * kSize));
  for (float& x : values) {
    double value = data == Data::integers ? integer(random) : normal(random);
    if (data == Data::relu) value = std::max(value, 0.0);
    x = static_cast<float>(precision::round_to(value, format, precision::Rounding::rne));
  }
  return values;
}

class Problem {
 public:
  Problem(const MacUnit& unit, Data data)
      : unit_(unit), a_(operand(data, unit.a, 1)), b_(operand(data, unit.b, 2)) {
    plan_.dims = {{"K", kSize}};
  }
  void emulated(const ParallelFor& parallel) {
    const precision::FloatMatrixRows a(a_.data(), kSize, kSize, kSize, 1);
    const precision::FloatMatrixRows b(b_.data(), kSize, kSize, kSize, 1);
    precision::FloatMatrixOutput out(out_.data(), kSize);
    precision::emulated_gemm(unit_, plan_, a, b, {}, out, parallel);
  }
  void reference() {
    const precision::FloatMatrixRows a(a_.data(), kSize, kSize, kSize, 1);
    const precision::FloatMatrixRows b(b_.data(), kSize, kSize, kSize, 1);
    precision::FloatMatrixOutput out(out_.data(), kSize);
    precision::reference_gemm(kSize, a, b, {}, out, precision::serial());
  }

 private:
  MacUnit unit_;
  std::vector<float> a_, b_;
  std::vector<float> out_ = std::vector<float>(kSize * kSize);
  precision::ReductionPlan plan_;
};

std::vector<Goal> goals_of(const std::string& name) {
  if (name == "fp32_chain_fp32") return {{Against::sgemm, 1.0}, {Against::fma_peak, 0.93, true}};
  if (name == "fp16_chain_fp16") return {{Against::sgemm, 0.21}};
  if (name == "fp16_chain_fp16_unfused") return {{Against::sgemm, 0.14}};
  if (name == "bf16_chain_bf16") return {{Against::sgemm, 0.17}};
  if (name == "bf16_chain_bf16_unfused") return {{Against::sgemm, 0.12}};
  if (name == "fp16_chain_fp16_sr" || name == "bf16_chain_bf16_sr") return {{Against::sgemm, 0.06}};
  if (name == "v100_fp16_fp32") return {{Against::sgemm, 0.11}};
  if (name == "a100_fp16_fp32" || name == "a100_fp16_fp16") return {{Against::sgemm, 0.16}};
  if (name == "h100_fp16_fp32") return {{Against::sgemm, 0.125}};
  return {{Against::sgemm, 0.01}};
}

Case emulated_case(const std::string& name, const std::shared_ptr<Problem>& problem,
                   std::vector<Goal> goals) {
  const auto run = [problem] {
    return cpu_seconds([&] { problem->emulated(precision::serial()); });
  };
  return {name, "GMAC/s", kMacs, run, {}, std::move(goals)};
}

Case two_threads(const MacUnit& unit) {
  const auto problem = std::make_shared<Problem>(unit, Data::normal);
  const auto one = [problem] {
    return kMacs / cpu_seconds([&] { problem->emulated(precision::serial()); });
  };
  return {unit.name + "/two_threads",
          "GMAC/s",
          kMacs,
          [problem] {
            return two_thread_seconds(
                [&](const ParallelFor& parallel) { problem->emulated(parallel); });
          },
          one,
          {{Against::itself, 1.9, true}}};
}

}  // namespace

std::vector<Case> gemm_cases() {
  std::vector<Case> cases;
  for (const MacUnit& unit : timed_units()) {
    const bool varies = unit.name.find("_chain_fp16") != std::string::npos ||
                        unit.name.find("_chain_bf16") != std::string::npos;
    for (const Data data : kAllData) {
      if (data != Data::normal && !varies) continue;
      const std::string name = unit.name + (varies ? std::string("/") + name_of(data) : "");
      cases.push_back(
          emulated_case(name, std::make_shared<Problem>(unit, data), goals_of(unit.name)));
    }
    if (unit.name == "fp16_chain_fp16" || unit.name == "fp32_chain_fp32")
      cases.push_back(two_threads(unit));
  }
  const auto problem = std::make_shared<Problem>(timed_units().front(), Data::normal);
  cases.push_back({"fp64_reference",
                   "GMAC/s",
                   kMacs,
                   [problem] { return cpu_seconds([&] { problem->reference(); }); },
                   {},
                   {{Against::sgemm, 0.05}}});
  return cases;
}

}  // namespace npusim::bench
