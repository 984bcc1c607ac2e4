// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>

#include "base/array_file.h"
#include "base/thread_pool.h"
#include "npu_models/npu_file.h"
#include "precision/mac_chain.h"
#include "sim/catalog.h"
#include "sim/run_parts.h"
#include "tools/commands.h"
#include "tools/config_listing.h"
#include "tools/exit_code.h"
#include "tools/output.h"
#include "tools/request.h"
#include "workloads/tensor.h"

namespace npusim::tools {
namespace {

/// Rows that do not fit are listed up to this many, then counted.
constexpr std::size_t kListed = 20;

std::string index_text(std::size_t flat, const std::vector<std::int64_t>& shape) {
  std::string text;
  for (std::size_t axis = shape.size(); axis-- > 0;) {
    const auto extent = static_cast<std::size_t>(shape[axis]);
    text = std::to_string(flat % extent) + (text.empty() ? "" : ", ") + text;
    flat /= extent;
  }
  return "[" + text + "]";
}

std::string exact_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-infinity" : "infinity";
  return base::dump_json(base::JsonValue::make_real(value), -1);
}

/// Collects values that a format cannot hold, naming operand and index.
class Misfits {
 public:
  void add(const std::string& file, const std::string& what, const std::string& allowed) {
    if (++count_ > kListed) return;
    base::Diagnostic diagnostic;
    diagnostic.file = file;
    diagnostic.code = "not-representable";
    diagnostic.message = what;
    diagnostic.allowed = allowed;
    items_.push_back(std::move(diagnostic));
  }
  void throw_if_any() {
    if (count_ > kListed) {
      base::Diagnostic rest;
      rest.code = "not-representable";
      rest.message = "and " + std::to_string(count_ - kListed) + " more values";
      items_.push_back(std::move(rest));
    }
    if (count_ > 0) throw base::InputError(items_);
  }

 private:
  std::size_t count_ = 0;
  std::vector<base::Diagnostic> items_;
};

struct Operand {
  std::string name, file;
  base::ArrayData array;
};

/// `rounding`: how values that the format does not have are rounded; nullptr: they are mistakes.
void fit(Operand& operand, const precision::Format& format, const precision::Rounding* rounding,
         Misfits& misfits) {
  std::vector<double>& values = operand.array.values;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (precision::representable(values[i], format)) continue;
    if (rounding != nullptr)
      values[i] = precision::round_to(values[i], format, *rounding);
    else
      misfits.add(operand.file,
                  operand.name + index_text(i, operand.array.shape) + " = " +
                      exact_text(values[i]) + " is not a value of " + format.name,
                  "values of " + format.name + ", or --round-inputs");
  }
}

void check_shapes(const Operand& a, const Operand& b, const Operand& c, bool has_c) {
  const auto fail = [](const std::string& message) {
    throw base::InputError(message, "shape-mismatch");
  };
  if (a.array.shape.size() != 2)
    fail("a has shape " + workloads::to_string(a.array.shape) + ", expected (n, k)");
  if (b.array.shape != a.array.shape)
    fail("b has shape " + workloads::to_string(b.array.shape) + " but a has " +
         workloads::to_string(a.array.shape));
  if (has_c && c.array.shape != std::vector<std::int64_t>{a.array.shape[0]})
    fail("c has shape " + workloads::to_string(c.array.shape) + ", expected one value a row: [" +
         std::to_string(a.array.shape[0]) + "]");
}

Operand read(const std::string& name, const std::string& file) {
  return {name, file, file.empty() ? base::ArrayData{} : base::read_npy(file)};
}

std::vector<double> multiply(const precision::MacUnit& unit, const Operand& a, const Operand& b,
                             const Operand& c, std::uint64_t seed, int jobs) {
  const precision::RandomKey key = precision::derived_key({}, seed);
  const std::int64_t rows = a.array.shape[0];
  const std::int64_t k = a.array.shape[1];
  std::vector<double> results(static_cast<std::size_t>(rows));
  base::ThreadPool pool(jobs);
  pool.parallel_for(rows, [&](std::int64_t row) {
    const auto i = static_cast<std::size_t>(row);
    const double start = c.array.values.empty() ? 0.0 : c.array.values[i];
    const precision::Operands operands{a.array.values.data() + row * k,
                                       b.array.values.data() + row * k, k, nullptr, nullptr};
    precision::RandomSequence random{precision::derived_key(key, static_cast<std::uint64_t>(row))};
    results[i] = precision::mac_chain(unit, operands, start, random);
  });
  return results;
}

void check_results(const std::vector<double>& results) {
  Misfits misfits;
  for (std::size_t i = 0; i < results.size(); ++i) {
    const bool fits = !std::isfinite(results[i]) ||
                      (std::fabs(results[i]) <= std::numeric_limits<float>::max() &&
                       static_cast<double>(static_cast<float>(results[i])) == results[i]);
    if (!fits)
      misfits.add(
          "",
          "d[" + std::to_string(i) + "] = " + exact_text(results[i]) + " is not a float32 value",
          "units whose accumulator is no wider than fp32");
  }
  misfits.throw_if_any();
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
  const std::vector<base::ParsedOverride> all = options_of(arguments.common).overrides;
  for (const base::ParsedOverride& item : all)
    if (item.kind != "unit")
      throw base::InputError(item.override.text + ": paths of dot start with unit", "unknown-path");
  const std::vector<base::Override> overrides = sim::overrides_of(all, "unit");
  const std::string file = sim::find_file("mac_unit", arguments.unit);
  const precision::MacUnit unit = npu::load_mac_unit(file, overrides);
  if (arguments.common.print_config) return print_unit(file, overrides);

  Operand a = read("a", arguments.a);
  Operand b = read("b", arguments.b);
  Operand c = read("c", arguments.c);
  check_shapes(a, b, c, !arguments.c.empty());
  Misfits misfits;
  const precision::Rounding nearest = precision::Rounding::rne;
  fit(a, unit.a, arguments.round_inputs ? &unit.input_rounding : nullptr, misfits);
  fit(b, unit.b, arguments.round_inputs ? &unit.input_rounding : nullptr, misfits);
  fit(c, unit.c_format(), arguments.round_inputs ? &nearest : nullptr, misfits);
  misfits.throw_if_any();
  const std::vector<double> results =
      multiply(unit, a, b, c, arguments.common.seed, arguments.common.jobs);
  check_results(results);
  const base::ArrayData output{base::ElementKind::f32, {a.array.shape[0]}, results};
  write_to(arguments.output, base::format_npy(output), arguments.common.quiet);
  return kOk;
}

}  // namespace npusim::tools
