// SPDX-License-Identifier: Apache-2.0
// Arrays of any size: read, rounded and written in pieces.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "base/npy_stream.h"
#include "precision/error_stream.h"
#include "precision/indexed_rounding.h"
#include "precision/rounding.h"
#include "tools/block_stream.h"
#include "tools/commands.h"
#include "tools/exit_code.h"
#include "tools/format_argument.h"
#include "tools/interrupt.h"
#include "tools/output.h"

namespace npusim::tools {
namespace {

constexpr std::int64_t kPiece = 1 << 16;

template <class Choice>
Choice chosen(const std::vector<std::string>& names, const std::string& name) {
  return static_cast<Choice>(std::find(names.begin(), names.end(), name) - names.begin());
}

/// What the options say of every format.
struct Request {
  precision::Rounding rounding = precision::Rounding::rne;
  int random_bits = 0;
  precision::RandomKey key;
  std::optional<precision::Format> daz;

  double prepared(double x) const { return daz ? precision::without_subnormals(x, *daz) : x; }
};

Request request_of(const QuantizeArguments& arguments) {
  Request request;
  request.rounding = precision::rounding_from_name(arguments.rounding);
  request.random_bits = arguments.random_bits;
  request.key = precision::derived_key({}, static_cast<std::uint64_t>(arguments.common.seed));
  if (!arguments.daz.empty()) {
    request.daz = format_argument(arguments.daz);
    if (request.daz->is_fixed_point() || request.daz->is_scale())
      throw UsageError("--daz takes a floating-point format; " + arguments.daz +
                       " has no subnormals");
  }
  return request;
}

/// Rules of precision/ that the options break.
template <class Value>
void check(const Value& value) {
  try {
    precision::validate(value);
  } catch (const std::invalid_argument& error) {
    throw UsageError(error.what());
  }
}

precision::Arithmetic arithmetic_of(const QuantizeArguments& arguments, const Request& request) {
  precision::Arithmetic arithmetic{format_argument(arguments.format), request.rounding,
                                   request.random_bits};
  if (arguments.axis || !arguments.scale_rounding.empty())
    throw UsageError("--axis and --scale-rounding are for block-scaled formats; " +
                     arguments.format + " is none");
  if (!arguments.subnormals.empty())
    arithmetic.format.subnormals =
        chosen<precision::Subnormals>(precision::subnormals_names(), arguments.subnormals);
  if (!arguments.overflow.empty())
    arithmetic.format.overflow =
        chosen<precision::Overflow>(precision::overflow_names(), arguments.overflow);
  check(arithmetic);
  return arithmetic;
}

precision::BlockFormat block_format_of(const QuantizeArguments& arguments, const Request& request) {
  precision::BlockFormat format = block_format_argument(arguments.format);
  if (!arguments.subnormals.empty() || !arguments.overflow.empty())
    throw UsageError(
        "elements of block-scaled formats keep subnormals and saturate: --subnormals "
        "and --overflow do not apply");
  if (!arguments.scale_rounding.empty())
    format.scale_rounding = precision::scale_rounding_from_name(arguments.scale_rounding);
  check(format);
  check(precision::Arithmetic{format.element, request.rounding, request.random_bits});
  return format;
}

/// binary64 stays what it is; everything else becomes binary32 when that holds every result.
base::ElementKind output_kind(base::ElementKind input, const precision::Format& format) {
  const bool fits = format.exponent_bits <= 8 && format.fraction_bits <= 23;
  return input == base::ElementKind::f64 || !fits ? base::ElementKind::f64 : base::ElementKind::f32;
}

base::ElementKind output_kind(base::ElementKind input, const precision::BlockFormat& format) {
  int bits = format.element.precision();
  for (const auto& scale : {format.scale, format.tensor_scale})
    if (scale && !scale->is_scale()) bits += scale->precision();
  return input == base::ElementKind::f64 || bits > 24 ? base::ElementKind::f64
                                                      : base::ElementKind::f32;
}

int axis_of(const QuantizeArguments& arguments, const std::vector<std::int64_t>& shape) {
  const int rank = static_cast<int>(shape.size());
  const int axis = arguments.axis.value_or(-1);
  if (rank == 0) throw base::InputError("an array without axes has no blocks", "shape-mismatch");
  if (axis < -rank || axis >= rank)
    throw base::InputError(fmt::format("--axis {}: the array has {} axes", axis, rank),
                           "out-of-range");
  return axis < 0 ? axis + rank : axis;
}

/// Counts what the summary says.
class Tally {
 public:
  explicit Tally(const precision::Format& format) : error_(format) {}
  void add(const double* output, const double* input, std::int64_t count) {
    error_.add(output, input, count);
    for (std::int64_t i = 0; i < count; ++i)
      if (input[i] == input[i] && input[i] != output[i]) ++changed_;
  }
  std::string text(const std::string& what) const {
    const precision::ErrorMetrics e = error_.result();
    const auto optional = [](const std::optional<double>& value, const char* unit) {
      return value ? fmt::format("{:.4g}{}", *value, unit) : "-";
    };
    return fmt::format(
        "{}: {} of {} elements changed; max abs {:.4g}, max rel {:.4g}, rel fro {}, SQNR {}, "
        "underflow {:.4g}%, overflow {:.4g}%, nan {}, inf {}",
        what, changed_, e.count, e.max_abs, e.max_rel, optional(e.rel_fro, ""),
        optional(e.sqnr_db, " dB"), e.underflow_pct, e.overflow_pct, e.nan, e.inf);
  }
  std::int64_t count() const { return error_.result().count; }

 private:
  precision::ErrorStream error_;
  std::int64_t changed_ = 0;
};

std::string quantize_plain(const QuantizeArguments& arguments, const Request& request) {
  const precision::Arithmetic arithmetic = arithmetic_of(arguments, request);
  base::NpyReader reader(arguments.input);
  base::NpyWriter writer(arguments.output, output_kind(reader.kind(), arithmetic.format),
                         reader.shape());
  Tally tally(arithmetic.format);
  std::vector<double> read, in, out;
  for (std::int64_t at = 0; at < reader.elements(); at += kPiece) {
    stop_if_interrupted();
    const std::int64_t count = std::min(kPiece, reader.elements() - at);
    read.resize(static_cast<std::size_t>(count));
    reader.read(at, count, read.data());
    in = read;
    for (double& x : in) x = request.prepared(x);
    out.resize(in.size());
    precision::round_indexed(in.data(), out.data(), count, arithmetic, request.key,
                             static_cast<std::uint64_t>(at));
    writer.write(at, out.data(), count);
    if (!arguments.common.quiet) tally.add(out.data(), read.data(), count);
  }
  writer.finish();
  return tally.text(arithmetic.format.name + " " + arguments.rounding);
}

std::string quantize_blocks(const QuantizeArguments& arguments, const Request& request) {
  BlockStream stream;
  stream.format = block_format_of(arguments, request);
  stream.rounding = {request.rounding, request.random_bits, request.key};
  base::NpyReader reader(arguments.input);
  stream.axis = axis_of(arguments, reader.shape());
  if (request.daz) stream.prepare = [&](double x) { return request.prepared(x); };
  const base::ElementKind kind = output_kind(reader.kind(), stream.format);
  base::NpyWriter writer(arguments.output, kind, reader.shape());
  Tally tally(precision::fp64());
  std::vector<double> single;
  stream.done = [&](std::int64_t first, const double* values, const double* input,
                    std::int64_t count) {
    if (!arguments.common.quiet) tally.add(values, input, count);
    if (kind == base::ElementKind::f32) {
      // Only 2^128, the scale's largest power of two times a rounded-up element, is no binary32.
      single.assign(values, values + count);
      for (double& x : single) x = static_cast<double>(static_cast<float>(x));
      values = single.data();
    }
    writer.write(first, values, count);
  };
  const std::int64_t saturated = stream.run(reader);
  writer.finish();
  const std::string scale_rounding =
      precision::scale_rounding_names()[static_cast<std::size_t>(stream.format.scale_rounding)];
  return tally.text(fmt::format("{} {}, scale {}", stream.format.name, arguments.rounding,
                                scale_rounding)) +
         fmt::format(", saturated {}", saturated);
}

}  // namespace

int quantize(const QuantizeArguments& arguments) {
  check_destinations({arguments.output});
  const Request request = request_of(arguments);
  catch_interrupts();
  try {
    const std::string summary = precision::names_block_format(arguments.format)
                                    ? quantize_blocks(arguments, request)
                                    : quantize_plain(arguments, request);
    if (arguments.common.quiet) return kOk;
    if (arguments.output != kStdout) note("wrote " + arguments.output);
    note(summary);
    return kOk;
  } catch (const Interrupted&) {
    return kInterrupted;
  }
}

}  // namespace npusim::tools
