// SPDX-License-Identifier: Apache-2.0
// Row-wise dot products of arrays of any size: as many rows at a time as a piece holds.
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "base/npy_stream.h"
#include "base/thread_pool.h"
#include "npu_models/npu_file.h"
#include "precision/mac_chain.h"
#include "sim/catalog.h"
#include "sim/run_parts.h"
#include "tools/commands.h"
#include "tools/config_listing.h"
#include "tools/exit_code.h"
#include "tools/output.h"
#include "tools/unit_operands.h"
#include "workloads/tensor.h"

namespace npusim::tools {
namespace {

constexpr std::int64_t kPiece = std::int64_t{1} << 18;  // elements of a in memory, or one row

using Shape = std::vector<std::int64_t>;

void check_shapes(const Shape& a, const Shape& b, const Shape* c) {
  const auto fail = [](const std::string& message) {
    throw base::InputError(message, "shape-mismatch");
  };
  if (a.size() != 2) fail("a has shape " + workloads::to_string(a) + ", expected (n, k)");
  if (b != a)
    fail("b has shape " + workloads::to_string(b) + " but a has " + workloads::to_string(a));
  if (c != nullptr && *c != Shape{a[0]})
    fail("c has shape " + workloads::to_string(*c) + ", expected one value a row: [" +
         std::to_string(a[0]) + "]");
}

/// One file of operands, of which some rows are in memory.
class OperandFile {
 public:
  OperandFile(const std::string& name, const std::string& file) : operand_{name, file, {}, 0} {
    if (file.empty()) return;
    reader_ = std::make_unique<base::NpyReader>(file);
    operand_.array.kind = reader_->kind();
    operand_.array.shape = reader_->shape();
  }
  const Shape* shape() const { return reader_ ? &reader_->shape() : nullptr; }
  UnitOperand& load(std::int64_t first, std::int64_t count) {
    if (!reader_) return operand_;
    operand_.first = static_cast<std::size_t>(first);
    operand_.array.values.resize(static_cast<std::size_t>(count));
    reader_->read(first, count, operand_.array.values.data());
    return operand_;
  }

 private:
  std::unique_ptr<base::NpyReader> reader_;
  UnitOperand operand_;
};

/// `rows` rows in memory, of which the first is row `first` of all.
std::vector<double> multiply(const precision::MacUnit& unit, const UnitOperand& a,
                             const UnitOperand& b, const UnitOperand& c, std::int64_t first,
                             std::int64_t rows, precision::RandomKey key, base::ThreadPool& pool) {
  const std::int64_t k = a.array.shape[1];
  std::vector<double> results(static_cast<std::size_t>(rows));
  pool.parallel_for(rows, [&](std::int64_t row) {
    const auto i = static_cast<std::size_t>(row);
    const double start = c.array.values.empty() ? 0.0 : c.array.values[i];
    const precision::Operands operands{a.array.values.data() + row * k,
                                       b.array.values.data() + row * k, k, nullptr, nullptr};
    precision::RandomSequence random{
        precision::derived_key(key, static_cast<std::uint64_t>(first + row))};
    results[i] = precision::mac_chain(unit, operands, start, random);
  });
  return results;
}

void check_results(const std::vector<double>& results, std::int64_t first, Misfits& misfits) {
  for (std::size_t i = 0; i < results.size(); ++i) {
    const bool fits = !std::isfinite(results[i]) ||
                      (std::fabs(results[i]) <= std::numeric_limits<float>::max() &&
                       static_cast<double>(static_cast<float>(results[i])) == results[i]);
    if (!fits)
      misfits.add("",
                  "d[" + std::to_string(first + static_cast<std::int64_t>(i)) +
                      "] = " + exact_text(results[i]) + " is not a float32 value",
                  "units whose accumulator is no wider than fp32");
  }
}

int print_unit(const std::string& file, const std::vector<base::Override>& overrides) {
  ConfigListing listing;
  listing.add("mac_unit", file, overrides);
  print(listing.text());
  return kOk;
}

}  // namespace

int dot(const DotArguments& arguments) {
  check_destinations({arguments.output});
  const ChosenUnit chosen = choose_unit(arguments.unit, arguments.common);
  const precision::MacUnit& unit = chosen.unit;
  if (arguments.common.print_config) return print_unit(chosen.file, chosen.overrides);

  OperandFile a("a", arguments.a), b("b", arguments.b), c("c", arguments.c);
  check_shapes(*a.shape(), *b.shape(), c.shape());
  const std::int64_t n = (*a.shape())[0];
  const std::int64_t k = (*a.shape())[1];
  const precision::RandomKey key =
      precision::derived_key({}, static_cast<std::uint64_t>(arguments.common.seed));
  base::ThreadPool pool(arguments.common.jobs);
  base::NpyWriter writer(arguments.output, base::ElementKind::f32, {n});
  Misfits operands, results;
  const std::int64_t rows = std::max<std::int64_t>(1, kPiece / std::max<std::int64_t>(1, k));
  for (std::int64_t first = 0; first < n; first += rows) {
    const std::int64_t now = std::min(rows, n - first);
    UnitOperand& part_a = a.load(first * k, now * k);
    UnitOperand& part_b = b.load(first * k, now * k);
    UnitOperand& part_c = c.load(first, now);
    fit_operands(part_a, part_b, part_c, unit, arguments.round_inputs, operands);
    if (!operands.empty()) continue;  // the rest is read for its mistakes only
    const std::vector<double> d = multiply(unit, part_a, part_b, part_c, first, now, key, pool);
    check_results(d, first, results);
    if (results.empty()) writer.write(first, d.data(), now);
  }
  operands.throw_if_any();
  results.throw_if_any();
  writer.finish();
  if (!arguments.common.quiet && arguments.output != kStdout) note("wrote " + arguments.output);
  return kOk;
}

}  // namespace npusim::tools
