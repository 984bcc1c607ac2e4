// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "base/json_value.h"
#include "precision/format_table.h"
#include "sim/writers/text_table.h"
#include "tools/commands.h"
#include "tools/exit_code.h"
#include "tools/format_argument.h"
#include "tools/output.h"

namespace npusim::tools {
namespace {

using Formats = std::vector<precision::Format>;

sim::TextTable table_of(const Formats& formats, const char* real) {
  sim::TextTable table;
  table.column("format");
  for (const char* header :
       {"bits", "exponent", "fraction", "bias", "max", "min normal", "min subnormal", "epsilon",
        "digits10", "max_digits10", "p*log10(2)", "range [dB]", "binades"})
    table.column(header, true);
  const auto number = [real](double value) { return fmt::format(fmt::runtime(real), value); };
  for (const precision::Format& format : formats) {
    const precision::FormatProperties p = precision::properties_of(format);
    table.row({format.name, std::to_string(p.bits), std::to_string(p.exponent_bits),
               std::to_string(p.fraction_bits), std::to_string(p.bias), number(p.max_finite),
               number(p.min_normal), number(p.min_subnormal), number(p.epsilon),
               std::to_string(p.digits10), std::to_string(p.max_digits10),
               fmt::format("{:.2f}", p.decimal_precision),
               fmt::format("{:.1f}", p.dynamic_range_db), std::to_string(p.binades)});
  }
  return table;
}

base::JsonValue json_of(const Formats& formats) {
  base::JsonValue list = base::JsonValue::make_array();
  for (const precision::Format& format : formats) {
    const precision::FormatProperties p = precision::properties_of(format);
    base::JsonValue item = base::JsonValue::make_object();
    item.set("name", format.name);
    item.set("bits", p.bits);
    item.set("exponent_bits", p.exponent_bits);
    item.set("fraction_bits", p.fraction_bits);
    item.set("bias", p.bias);
    item.set("min_exponent", p.min_exponent);
    item.set("max_exponent", p.max_exponent);
    item.set("max_finite", p.max_finite);
    item.set("min_normal", p.min_normal);
    item.set("min_subnormal", p.min_subnormal);
    item.set("epsilon", p.epsilon);
    item.set("digits10", p.digits10);
    item.set("max_digits10", p.max_digits10);
    item.set("decimal_precision", p.decimal_precision);
    item.set("dynamic_range_db", p.dynamic_range_db);
    item.set("binades", p.binades);
    list.push_back(std::move(item));
  }
  return list;
}

}  // namespace

int formats(const FormatsArguments& arguments) {
  const OutputFiles& files = arguments.common.files;
  check_destinations({files.json, files.csv, files.markdown});
  Formats chosen;
  const std::vector<std::string>& names =
      arguments.names.empty() ? precision::named_formats() : arguments.names;
  for (const std::string& name : names) chosen.push_back(format_argument(name));
  const bool quiet = arguments.common.quiet;
  const bool taken = files.json == kStdout || files.csv == kStdout || files.markdown == kStdout;
  if (!taken) print(table_of(chosen, "{:.7g}").aligned());
  if (!files.json.empty()) write_to(files.json, base::dump_json(json_of(chosen)) + "\n", quiet);
  if (!files.csv.empty()) write_to(files.csv, table_of(chosen, "{}").csv(), quiet);
  if (!files.markdown.empty())
    write_to(files.markdown, table_of(chosen, "{:.7g}").markdown(), quiet);
  return kOk;
}

}  // namespace npusim::tools
