// SPDX-License-Identifier: Apache-2.0
// Every shipped MAC unit on half a product of 512 x 512 x 512, once a sample: quick for the
// slowest.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <memory>
#include <random>

#include "case.h"
#include "npu_models/npu_file.h"
#include "precision/gemm.h"
#include "tests/source_dir.h"
#include "yardsticks.h"

namespace npusim::bench {
namespace {

constexpr std::int64_t kRows = 256;
constexpr std::int64_t kColumns = 512;
constexpr std::int64_t kTerms = 512;

/// Normally distributed values of a format: made once for all units that take them.
const std::vector<double>& values_of(const precision::Format& format, std::int64_t rows) {
  static std::map<std::string, std::vector<double>> made;
  std::vector<double>& values = made[format.name + "/" + std::to_string(rows)];
  std::mt19937_64 random(static_cast<std::uint64_t>(rows));
  std::normal_distribution<double> normal;
  for (auto i = static_cast<std::int64_t>(values.size()); i < rows * kTerms; ++i)
    values.push_back(precision::round_to(normal(random), format, precision::Rounding::rne));
  return values;
}

/// With a scale for each term where the unit has scales.
class Operand final : public precision::OperandRows {
 public:
  Operand(const precision::MacUnit& unit, const precision::Format& format, std::int64_t rows)
      : rows_(rows), values_(values_of(format, rows)) {
    for (std::int64_t i = 0; unit.scales && i < kTerms; ++i)
      scales_.push_back(std::ldexp(1.0, static_cast<int>(i / unit.scales->block % 8) - 4));
  }
  std::int64_t rows() const override { return rows_; }
  void read(std::int64_t row, double* to) const override {
    std::copy_n(values_.begin() + row * kTerms, kTerms, to);
  }
  bool has_scales() const override { return !scales_.empty(); }
  void read_scales(std::int64_t /*row*/, double* to) const override {
    std::copy_n(scales_.begin(), kTerms, to);
  }

 private:
  std::int64_t rows_;
  const std::vector<double>& values_;
  std::vector<double> scales_;  ///< the same in every row
};

class Product {
 public:
  explicit Product(const std::string& file)
      : unit_(npu::load_mac_unit(file)), a_(unit_, unit_.a, kRows), b_(unit_, unit_.b, kColumns) {
    plan_.dims = {{"K", kTerms}};
  }
  void run() {
    precision::MatrixOutput out(out_.data(), kColumns);
    precision::emulated_gemm(unit_, plan_, a_, b_, {}, out, precision::serial());
  }

 private:
  precision::MacUnit unit_;
  Operand a_, b_;
  precision::ReductionPlan plan_;
  std::vector<double> out_ = std::vector<double>(kRows * kColumns);
};

}  // namespace

std::vector<Case> shipped_unit_cases() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry :
       std::filesystem::directory_iterator(test::source_dir() + "/configs/mac_units"))
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<Case> cases;
  for (const std::filesystem::path& file : files) {
    const auto product = std::make_shared<Product>(file.string());
    cases.push_back({"shipped:" + file.stem().string(),
                     "GMAC/s",
                     1.0 * kRows * kColumns * kTerms,
                     [product] { return cpu_seconds([&] { product->run(); }); },
                     {},
                     {{Against::sgemm, 0.01}},
                     1});
  }
  return cases;
}

}  // namespace npusim::bench
