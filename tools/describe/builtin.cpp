// SPDX-License-Identifier: Apache-2.0
// What is built in: ops, organisations, formats, roundings.
#include <fmt/format.h>

#include "npu_models/organisation.h"
#include "precision/format_table.h"
#include "tools/describe/describe.h"
#include "tools/describe/page.h"
#include "tools/format_argument.h"
#include "tools/registry.h"
#include "workloads/op.h"

namespace npusim::tools {
namespace {

using workloads::Attribute;

const char* class_text(workloads::OpClass op_class) {
  switch (op_class) {
    case workloads::OpClass::matrix:
      return "matrix: runs on the MAC array";
    case workloads::OpClass::vector:
      return "vector: runs on the vector unit";
    case workloads::OpClass::view:
      return "view: the same bytes in a new shape, no cost";
  }
  return "";
}

template <class T>
std::string list_text(const std::vector<T>& values) {
  return fmt::format("[{}]", fmt::join(values, ", "));
}

struct AttributeText {
  std::pair<std::string, std::string> operator()(std::int64_t v) const {
    return {"int", fmt::format("{}", v)};
  }
  std::pair<std::string, std::string> operator()(double v) const {
    return {"float", fmt::format("{}", v)};
  }
  std::pair<std::string, std::string> operator()(const std::string& v) const {
    return {"string", "\"" + v + "\""};
  }
  std::pair<std::string, std::string> operator()(const std::vector<std::int64_t>& v) const {
    return {"ints", list_text(v)};
  }
  std::pair<std::string, std::string> operator()(const std::vector<double>& v) const {
    return {"floats", list_text(v)};
  }
};

sim::TextTable attribute_table(const workloads::Op& op) {
  sim::TextTable table;
  for (const char* header : {"attribute", "type", "default", "meaning"}) table.column(header);
  for (const workloads::AttributeSpec& attribute : op.attributes()) {
    const auto [type, fallback] = std::visit(AttributeText{}, attribute.fallback);
    table.row({attribute.name, type, attribute.required ? "(required)" : fallback,
               attribute.description});
  }
  return table;
}

}  // namespace

std::string describe_op(const std::string& name) {
  const workloads::Op& op = workloads::ops().at(name);
  Page page("op " + op.name(), op.description());
  page.fact("class", class_text(op.op_class()));
  page.fact("inputs", op.min_inputs() == op.max_inputs()
                          ? std::to_string(op.min_inputs())
                          : fmt::format("{} to {}", op.min_inputs(), op.max_inputs()));
  page.fact("gradient", op.internal() ? "" : op.differentiable() ? "yes" : "no");
  page.fact("made by", op.internal() ? "the training transform or the mapping only" : "");
  page.fact("decomposes into", joined(op.decomposes_into()));
  page.table("Attributes", attribute_table(op));
  return page.text();
}

std::string describe_organisation(const std::string& name) {
  const npu::Organisation* organisation = npu::find_organisation(name);
  return Page("organisation " + organisation->name(), organisation->description()).text();
}

std::string specials_of(const precision::Format& format) {
  switch (format.non_finite) {
    case precision::NonFinite::ieee:
      return "infinities and NaN (IEEE 754)";
    case precision::NonFinite::nan_only:
      return "one NaN a sign, no infinity";
    case precision::NonFinite::fnuz:
      return "one NaN in the place of -0, no infinity";
    case precision::NonFinite::none:
      return "none";
  }
  return {};
}

void add_layout(Page& page, const precision::FormatProperties& p) {
  if (p.exponent_bits && p.fraction_bits) {
    page.fact("layout", fmt::format("{:g} bits: 1 sign, {} exponent (bias {}), {} fraction", p.bits,
                                    *p.exponent_bits, *p.bias, *p.fraction_bits));
  } else if (p.exponent_bits) {
    page.fact("layout", fmt::format("{:g} bits: exponent (bias {}); a scale", p.bits, *p.bias));
  } else {
    page.fact("layout", fmt::format("{:g} bits: two's complement", p.bits));
  }
}

void add_range(Page& page, const precision::FormatProperties& p) {
  if (p.min_exponent)
    page.fact("exponents of normal numbers",
              fmt::format("{} .. {}", *p.min_exponent, *p.max_exponent));
  page.fact("largest", fmt::format("{}", p.max_finite));
  if (p.min_normal) page.fact("smallest normal", fmt::format("{}", *p.min_normal));
  if (p.min_subnormal) page.fact("smallest subnormal", fmt::format("{}", *p.min_subnormal));
  if (!p.min_normal) page.fact("smallest positive", fmt::format("{}", p.min_positive));
  page.fact("epsilon", fmt::format("{}", p.epsilon));
  if (p.max_digits10)
    page.fact("decimal digits", fmt::format("{} survive, {} identify a value; {:.2f} = p*log10(2)",
                                            *p.digits10, *p.max_digits10, *p.decimal_precision));
  page.fact("dynamic range", fmt::format("{:.1f} dB, {} binades", p.dynamic_range_db, p.binades));
}

std::string describe_block_format(const std::string& name) {
  const precision::BlockFormat format = block_format_argument(name);
  const precision::FormatProperties p = precision::properties_of(format);
  Page page("block-scaled format " + name);
  page.fact("elements", format.element.name);
  if (format.scale) {
    const bool row = format.block == precision::BlockFormat::kWholeRow;
    page.fact("scale", format.scale->name +
                           (row ? " for each row" : fmt::format(" for {} elements", format.block)));
  }
  if (format.tensor_scale) page.fact("scale of the tensor", format.tensor_scale->name);
  page.fact("scale is", format.target == precision::ScaleTarget::binade
                            ? "largest magnitude / largest power of two of the elements"
                            : "largest magnitude / largest element");
  page.fact("scale rounding",
            precision::scale_rounding_names()[static_cast<std::size_t>(format.scale_rounding)]);
  page.fact("bits a value", fmt::format("{:g}", p.bits));
  add_range(page, p);
  return page.text();
}

std::string describe_format(const std::string& name) {
  if (precision::names_block_format(name)) return describe_block_format(name);
  const precision::Format format = format_argument(name);
  const precision::FormatProperties p = precision::properties_of(format);
  Page page("format " + format.name);
  add_layout(page, p);
  add_range(page, p);
  page.fact("specials", specials_of(format));
  page.fact("stored in", fmt::format("{} byte{}", format.storage_bytes(),
                                     format.storage_bytes() == 1 ? "" : "s"));
  return page.text();
}

std::string describe_rounding(const std::string& name) {
  for (const sim::CatalogEntry& entry : entries_of("rounding"))
    if (entry.name == name) return Page("rounding " + name, entry.description).text();
  return {};
}

}  // namespace npusim::tools
