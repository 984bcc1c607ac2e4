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

/// Scales of a block-scaled unit: one a block of each row.
void check_scales(const Shape* a, const Shape* b, const Shape& operands,
                  const precision::MacUnit& unit) {
  const auto fail = [](const std::string& message) {
    throw base::InputError(message, "shape-mismatch");
  };
  if (!unit.scales) {
    if (a != nullptr || b != nullptr)
      fail("unit " + unit.name + " has no block scales: --a-scales and --b-scales do not apply");
    return;
  }
  const Shape wanted = {operands[0], scale_blocks(unit, operands[1])};
  for (const auto& [name, shape] : {std::make_pair("a", a), std::make_pair("b", b)}) {
    const std::string text = std::string(name) + "-scales";
    const std::string expected = ", expected " + workloads::to_string(wanted) + ": one for each " +
                                 std::to_string(unit.scales->block) + " terms of a row";
    if (shape == nullptr)
      fail("unit " + unit.name + " has block scales: --" + text + " is missing" + expected);
    if (*shape != wanted) fail(text + " has shape " + workloads::to_string(*shape) + expected);
  }
}

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
  /// Elements [first, first + count) of the file.
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

/// Some rows of all operands, of which the first is row `first` of the files.
struct Rows {
  UnitOperand &a, &b, &c, &a_scales, &b_scales;
  std::int64_t first, count, k;
};

std::vector<double> multiply(const precision::MacUnit& unit, const Rows& rows,
                             precision::RandomKey key, base::ThreadPool& pool) {
  std::vector<double> results(static_cast<std::size_t>(rows.count));
  const std::vector<double>& c = rows.c.array.values;
  pool.parallel_for(rows.count, [&](std::int64_t row) {
    const auto i = static_cast<std::size_t>(row);
    const std::vector<double> a_scales = scales_of_terms(rows.a_scales, row, rows.k, unit);
    const std::vector<double> b_scales = scales_of_terms(rows.b_scales, row, rows.k, unit);
    const precision::Operands operands{
        rows.a.array.values.data() + row * rows.k, rows.b.array.values.data() + row * rows.k,
        rows.k, unit.scales ? a_scales.data() : nullptr, unit.scales ? b_scales.data() : nullptr};
    precision::RandomSequence random{
        precision::derived_key(key, static_cast<std::uint64_t>(rows.first + row))};
    results[i] = precision::mac_chain(unit, operands, c.empty() ? 0.0 : c[i], random);
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
  OperandFile a_scales("a-scales", arguments.a_scales), b_scales("b-scales", arguments.b_scales);
  check_shapes(*a.shape(), *b.shape(), c.shape());
  check_scales(a_scales.shape(), b_scales.shape(), *a.shape(), unit);
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
    const std::int64_t blocks = unit.scales ? (*a_scales.shape())[1] : 0;
    const Rows part{a.load(first * k, now * k),
                    b.load(first * k, now * k),
                    c.load(first, now),
                    a_scales.load(first * blocks, now * blocks),
                    b_scales.load(first * blocks, now * blocks),
                    first,
                    now,
                    k};
    fit_operands(part.a, part.b, part.c, unit, arguments.round_inputs, operands);
    for (UnitOperand* scales : {&part.a_scales, &part.b_scales})
      fit_scales(*scales, unit, operands);
    if (!operands.empty()) continue;  // the rest is read for its mistakes only
    const std::vector<double> d = multiply(unit, part, key, pool);
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
