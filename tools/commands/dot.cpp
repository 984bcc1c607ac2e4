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
#include "tools/unit_operands.h"
#include "workloads/tensor.h"

namespace npusim::tools {
namespace {

void check_shapes(const UnitOperand& a, const UnitOperand& b, const UnitOperand& c, bool has_c) {
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

UnitOperand read(const std::string& name, const std::string& file) {
  return {name, file, file.empty() ? base::ArrayData{} : base::read_npy(file)};
}

std::vector<double> multiply(const precision::MacUnit& unit, const UnitOperand& a,
                             const UnitOperand& b, const UnitOperand& c, std::uint64_t seed,
                             int jobs) {
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
  const ChosenUnit chosen = choose_unit(arguments.unit, arguments.common);
  const precision::MacUnit& unit = chosen.unit;
  if (arguments.common.print_config) return print_unit(chosen.file, chosen.overrides);

  UnitOperand a = read("a", arguments.a);
  UnitOperand b = read("b", arguments.b);
  UnitOperand c = read("c", arguments.c);
  check_shapes(a, b, c, !arguments.c.empty());
  fit_operands(a, b, c, unit, arguments.round_inputs);
  const std::vector<double> results =
      multiply(unit, a, b, c, arguments.common.seed, arguments.common.jobs);
  check_results(results);
  const base::ArrayData output{base::ElementKind::f32, {a.array.shape[0]}, results};
  write_to(arguments.output, base::format_npy(output), arguments.common.quiet);
  return kOk;
}

}  // namespace npusim::tools
