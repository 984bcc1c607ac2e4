// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cmath>
#include <optional>

#include "base/json_value.h"
#include "precision/block_format.h"
#include "precision/format_table.h"
#include "sim/writers/text_table.h"
#include "tools/commands.h"
#include "tools/exit_code.h"
#include "tools/format_argument.h"
#include "tools/output.h"

namespace npusim::tools {
namespace {

/// One line of the table: a plain format, or a block-scaled one with what its elements share.
struct Entry {
  std::string name;
  precision::FormatProperties properties;
  std::string block, scale, tensor_scale;
};

Entry entry_of(const std::string& name) {
  if (!precision::names_block_format(name))
    return {name, precision::properties_of(format_argument(name)), "", "", ""};
  const precision::BlockFormat format = block_format_argument(name);
  Entry entry{name, precision::properties_of(format), "", "", ""};
  if (format.scale) {
    entry.block =
        format.block == precision::BlockFormat::kWholeRow ? "row" : std::to_string(format.block);
    entry.scale = format.scale->name;
  }
  if (format.tensor_scale) entry.tensor_scale = format.tensor_scale->name;
  return entry;
}

std::vector<Entry> entries_of(std::vector<std::string> names) {
  if (names.empty()) {
    names = precision::named_formats();
    for (const std::string& name : precision::named_block_formats()) names.push_back(name);
  }
  std::vector<Entry> entries;
  for (const std::string& name : names) entries.push_back(entry_of(name));
  return entries;
}

std::string specials(const precision::FormatProperties& p) {
  if (p.has_infinity) return "inf, NaN";
  return p.has_nan ? "NaN" : "none";
}

/// Cells of numbers that a format may lack.
class Cells {
 public:
  explicit Cells(const char* real) : real_(real) {}
  std::string operator()(double value) const { return fmt::format(fmt::runtime(real_), value); }
  std::string operator()(const std::optional<double>& value) const {
    return value ? (*this)(*value) : "-";
  }
  std::string operator()(const std::optional<int>& value) const {
    return value ? std::to_string(*value) : "-";
  }

 private:
  const char* real_;
};

std::string or_dash(const std::string& text) {
  return text.empty() ? "-" : text;
}

std::string exponents(const precision::FormatProperties& p) {
  if (!p.min_exponent || !p.max_exponent) return "-";
  return fmt::format("{}..{}", *p.min_exponent, *p.max_exponent);
}

sim::TextTable table_of(const std::vector<Entry>& entries, const char* real) {
  sim::TextTable table;
  table.column("format");
  for (const char* header :
       {"bits", "exponent", "fraction", "bias", "exponents", "max", "min normal", "min subnormal",
        "epsilon", "digits10", "max_digits10", "p*log10(2)", "range [dB]", "binades"})
    table.column(header, true);
  for (const char* header : {"specials", "block", "scale", "tensor scale"}) table.column(header);
  const Cells cell(real);
  for (const Entry& entry : entries) {
    const precision::FormatProperties& p = entry.properties;
    table.row({entry.name, fmt::format("{:g}", p.bits), cell(p.exponent_bits),
               cell(p.fraction_bits), cell(p.bias), exponents(p), cell(p.max_finite),
               cell(p.min_normal), cell(p.min_subnormal), cell(p.epsilon), cell(p.digits10),
               cell(p.max_digits10),
               p.decimal_precision ? fmt::format("{:.2f}", *p.decimal_precision) : "-",
               fmt::format("{:.1f}", p.dynamic_range_db), std::to_string(p.binades), specials(p),
               or_dash(entry.block), or_dash(entry.scale), or_dash(entry.tensor_scale)});
  }
  return table;
}

template <class Value>
void set(base::JsonValue& item, const char* key, const std::optional<Value>& value) {
  if (value) {
    item.set(key, *value);
  } else {
    item.set(key, base::JsonValue::make_null());
  }
}

std::optional<std::string> text_of(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional<std::string>(text);
}

base::JsonValue json_of(const Entry& entry) {
  const precision::FormatProperties& p = entry.properties;
  base::JsonValue item = base::JsonValue::make_object();
  item.set("name", entry.name);
  if (p.bits == std::floor(p.bits)) {
    item.set("bits", static_cast<int>(p.bits));
  } else {
    item.set("bits", p.bits);
  }
  set(item, "exponent_bits", p.exponent_bits);
  set(item, "fraction_bits", p.fraction_bits);
  set(item, "bias", p.bias);
  set(item, "min_exponent", p.min_exponent);
  set(item, "max_exponent", p.max_exponent);
  item.set("max_finite", p.max_finite);
  item.set("lowest", p.lowest);
  set(item, "min_normal", p.min_normal);
  set(item, "min_subnormal", p.min_subnormal);
  item.set("min_positive", p.min_positive);
  item.set("epsilon", p.epsilon);
  item.set("infinity", p.has_infinity);
  item.set("nan", p.has_nan);
  set(item, "digits10", p.digits10);
  set(item, "max_digits10", p.max_digits10);
  set(item, "decimal_precision", p.decimal_precision);
  item.set("dynamic_range_db", p.dynamic_range_db);
  item.set("binades", p.binades);
  set(item, "block", text_of(entry.block));
  set(item, "scale", text_of(entry.scale));
  set(item, "tensor_scale", text_of(entry.tensor_scale));
  return item;
}

base::JsonValue json_of(const std::vector<Entry>& entries) {
  base::JsonValue list = base::JsonValue::make_array();
  for (const Entry& entry : entries) list.push_back(json_of(entry));
  return list;
}

}  // namespace

int formats(const FormatsArguments& arguments) {
  const OutputFiles& files = arguments.common.files;
  check_destinations({files.json, files.csv, files.markdown});
  const std::vector<Entry> entries = entries_of(arguments.names);
  const bool quiet = arguments.common.quiet;
  const bool taken = files.json == kStdout || files.csv == kStdout || files.markdown == kStdout;
  if (!taken) print(table_of(entries, "{:.7g}").aligned());
  if (!files.json.empty()) write_to(files.json, base::dump_json(json_of(entries)) + "\n", quiet);
  if (!files.csv.empty()) write_to(files.csv, table_of(entries, "{}").csv(), quiet);
  if (!files.markdown.empty())
    write_to(files.markdown, table_of(entries, "{:.7g}").markdown(), quiet);
  return kOk;
}

}  // namespace npusim::tools
