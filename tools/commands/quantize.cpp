// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "base/array_file.h"
#include "precision/error_metrics.h"
#include "precision/rounding.h"
#include "tools/commands.h"
#include "tools/exit_code.h"
#include "tools/format_argument.h"
#include "tools/output.h"

namespace npusim::tools {
namespace {

precision::Arithmetic arithmetic_of(const QuantizeArguments& arguments) {
  precision::Arithmetic arithmetic;
  arithmetic.format = format_argument(arguments.format);
  arithmetic.rounding = precision::rounding_from_name(arguments.rounding);
  if (!arguments.subnormals.empty())
    arithmetic.format.subnormals = arguments.subnormals == "flush" ? precision::Subnormals::flush
                                                                   : precision::Subnormals::keep;
  if (!arguments.overflow.empty())
    arithmetic.format.overflow = arguments.overflow == "saturate" ? precision::Overflow::saturate
                                                                  : precision::Overflow::infinity;
  return arithmetic;
}

/// binary64 stays what it is; everything else becomes binary32 when that holds every value of the
/// format.
base::ElementKind output_kind(base::ElementKind input, const precision::Format& format) {
  const bool fits = format.exponent_bits <= 8 && format.fraction_bits <= 23;
  return input == base::ElementKind::f64 || !fits ? base::ElementKind::f64 : base::ElementKind::f32;
}

std::string optional_text(const std::optional<double>& value, const char* unit) {
  return value ? fmt::format("{:.4g}{}", *value, unit) : "-";
}

std::string summary(const precision::ErrorMetrics& e, std::int64_t changed,
                    const precision::Arithmetic& arithmetic) {
  return fmt::format(
      "{} {}: {} of {} elements changed; max abs {:.4g}, max rel {:.4g}, rel fro {}, SQNR {}, "
      "underflow {:.4g}%, overflow {:.4g}%, nan {}, inf {}",
      arithmetic.format.name, precision::name_of(arithmetic.rounding), changed, e.count, e.max_abs,
      e.max_rel, optional_text(e.rel_fro, ""), optional_text(e.sqnr_db, " dB"), e.underflow_pct,
      e.overflow_pct, e.nan, e.inf);
}

}  // namespace

int quantize(const QuantizeArguments& arguments) {
  check_destinations({arguments.output});
  const precision::Arithmetic arithmetic = arithmetic_of(arguments);
  const base::ArrayData input = base::read_npy(arguments.input);
  base::ArrayData output{output_kind(input.kind, arithmetic.format), input.shape, {}};
  output.values.resize(input.values.size());
  const auto count = static_cast<long>(input.values.size());
  precision::round_array(input.values.data(), output.values.data(), count, arithmetic);
  write_to(arguments.output, base::format_npy(output), arguments.common.quiet);
  if (arguments.common.quiet) return kOk;
  const precision::ErrorMetrics error =
      precision::compare(output.values.data(), input.values.data(), count, arithmetic.format);
  std::int64_t changed = 0;
  for (std::size_t i = 0; i < input.values.size(); ++i)
    if (input.values[i] == input.values[i] && input.values[i] != output.values[i]) ++changed;
  note(summary(error, changed, arithmetic));
  return kOk;
}

}  // namespace npusim::tools
