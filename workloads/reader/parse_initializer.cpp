// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <filesystem>

#include "workloads/initializer_text.h"
#include "workloads/reader/expression.h"
#include "workloads/reader/flatten.h"
#include "workloads/reader/syntax.h"

namespace npusim::workloads {
namespace {

using Kind = Initializer::Kind;

/// "zeros" and "ones" are constants with a value; the others are Initializer kinds.
struct Choice {
  Kind kind = Kind::constant;
  std::optional<double> value;
};

const std::vector<std::pair<std::string, Choice>>& choices() {
  static const std::vector<std::pair<std::string, Choice>> kTable = {
      {"constant", {Kind::constant, std::nullopt}},
      {"zeros", {Kind::constant, 0.0}},
      {"ones", {Kind::constant, 1.0}},
      {"uniform", {Kind::uniform, std::nullopt}},
      {"normal", {Kind::normal, std::nullopt}},
      {"kaiming_normal", {Kind::kaiming_normal, std::nullopt}},
      {"kaiming_uniform", {Kind::kaiming_uniform, std::nullopt}},
      {"xavier_normal", {Kind::xavier_normal, std::nullopt}},
      {"xavier_uniform", {Kind::xavier_uniform, std::nullopt}},
      {"uniform_int", {Kind::uniform_int, std::nullopt}},
      {"file", {Kind::file, std::nullopt}},
      {"values", {Kind::values, std::nullopt}},
      {"rotary_cos", {Kind::rotary_cos, std::nullopt}},
      {"rotary_sin", {Kind::rotary_sin, std::nullopt}},
      {"calibrated_mean", {Kind::calibrated_mean, std::nullopt}},
      {"calibrated_variance", {Kind::calibrated_variance, std::nullopt}},
  };
  return kTable;
}

const char* const kDataFile = "a .npy or .safetensors file, relative to this one";

/// Relative to the file that names it; what an override names, relative to the working directory.
std::string resolved_path(const base::ValueReader& at, const std::string& path) {
  const base::Origin& origin = at.json().origin();
  if (origin.line == 0 || !origin.file || std::filesystem::path(path).is_absolute()) return path;
  return (std::filesystem::path(*origin.file).parent_path() / path).string();
}

void read_interval(base::ObjectReader& reader, const std::string& kind, Initializer& result) {
  result.low = reader.number("low", {}, 0.0);
  result.high = reader.number("high", {}, 1.0);
  if (result.low > result.high)
    reader.self().error("out-of-range", kind + ": low is above high", "low <= high");
}

constexpr base::IntegerRange kRotaryBase = {2, std::int64_t{1} << 53};
constexpr base::IntegerRange kRotaryStart = {0, std::int64_t{1} << 53};
constexpr base::IntegerRange kOutlierScale = {0, std::int64_t{1} << 53};

base::IntegerRange integers_of(ElementType type) {
  if (type == ElementType::floating) return {-(std::int64_t{1} << 53), std::int64_t{1} << 53};
  constexpr double kMost = 0x1p53;  // what a double holds exactly
  return {static_cast<std::int64_t>(std::max(lowest_of(type), -kMost)),
          static_cast<std::int64_t>(std::min(highest_of(type), kMost))};
}

/// Bounds that are expressions are read when the parameters are known (resolve_expressions).
void read_integers(base::ObjectReader& reader, ElementType type, Initializer& result) {
  const base::IntegerRange range = integers_of(type);
  bool written_out = true;
  const auto bound = [&](const std::optional<base::ValueReader>& at, double fallback) {
    if (!at) return fallback;
    if (!at->json().is_string()) return static_cast<double>(at->integer(range));
    written_out = false;
    return fallback;
  };
  result.low = bound(reader.optional("low"), 0.0);
  result.high = bound(reader.required("high", "an integer or an expression"), result.low);
  if (written_out && result.low > result.high)
    reader.self().error("out-of-range", "uniform_int: low is above high", "low <= high");
}

void read_file(base::ObjectReader& reader, Initializer& result) {
  if (const auto path = reader.required("path", kDataFile)) {
    result.path = resolved_path(*path, path->string());
    std::error_code ignored;
    if (path->json().is_string() && !std::filesystem::is_regular_file(result.path, ignored))
      path->error("missing-file", "no such file: " + result.path, kDataFile);
  }
  result.tensor = reader.string("tensor", std::string());
}

void read_constant(base::ObjectReader& reader, ElementType type, std::optional<double> value,
                   Initializer& result) {
  result.value = value ? *value : reader.number("value", {});
  if (type != ElementType::floating && std::nearbyint(result.value) != result.value)
    reader.error("value", "wrong-type", "the tensor holds integers", "an integer");
}

/// Their number is checked against the shape when the graph is built. They may be expressions
/// (resolve_expressions).
void read_values(base::ObjectReader& reader, ElementType type, Initializer& result) {
  auto values = std::make_shared<std::vector<double>>();
  for (const base::ValueReader& item : reader.array("values")) {
    const bool whole = type != ElementType::floating;
    if (item.json().is_string()) {
      values->push_back(0.0);
      continue;
    }
    values->push_back(whole ? static_cast<double>(item.integer(integers_of(type))) : item.number());
  }
  result.values = std::move(values);
}

/// Base and first position are integers or expressions (resolve_expressions).
void read_rotary(base::ObjectReader& reader, Initializer& result) {
  const auto integer = [&](const char* key, base::IntegerRange range, double fallback) {
    const auto at = reader.optional(key);
    if (!at || at->json().is_string()) return fallback;
    return static_cast<double>(at->integer(range));
  };
  result.value = integer("base", kRotaryBase, 10000.0);
  result.low = integer("start", kRotaryStart, 0.0);
}

/// A scale that is an expression is read when the parameters are known (resolve_expressions).
void read_structure(base::ObjectReader& reader, Initializer& result) {
  constexpr base::NumberRange kShare{0.0, 1.0};
  result.filter_mean = reader.number("filter_mean", base::kNonNegativeNumber, 0.0);
  result.outlier_channels = reader.number("outlier_channels", kShare, 0.0);
  const auto scale = reader.optional("outlier_scale");
  if (scale && !scale->json().is_string())
    result.outlier_scale = scale->number(base::kNonNegativeNumber);
}

void read_details(base::ObjectReader& reader, const std::string& kind, ElementType type,
                  Initializer& result) {
  switch (result.kind) {
    case Kind::uniform:
      return read_interval(reader, kind, result);
    case Kind::normal:
      result.mean = reader.number("mean", {}, 0.0);
      result.stddev = reader.number("stddev", base::kNonNegativeNumber, 1.0);
      return read_structure(reader, result);
    case Kind::kaiming_normal:
      result.mean = reader.number("mean", {}, 0.0);
      return read_structure(reader, result);
    case Kind::xavier_normal:
      return read_structure(reader, result);
    case Kind::uniform_int:
      return read_integers(reader, type, result);
    case Kind::file:
      return read_file(reader, result);
    case Kind::values:
      return read_values(reader, type, result);
    case Kind::rotary_cos:
    case Kind::rotary_sin:
      return read_rotary(reader, result);
    default:
      return;
  }
}

void check_fit(const base::ValueReader& at, const std::string& kind, const Initializer& result,
               ElementType type, std::size_t rank) {
  const bool whole = result.kind == Kind::constant || result.kind == Kind::uniform_int ||
                     result.kind == Kind::file || result.kind == Kind::values;
  if (type != ElementType::floating && !whole)
    at.error("wrong-initializer", kind + " makes fractions, the tensor holds integers",
             "constant, zeros, ones, uniform_int, values, file");
  const bool rotary = result.kind == Kind::rotary_cos || result.kind == Kind::rotary_sin;
  if (rotary && rank < 2)
    at.error("wrong-initializer", kind + " needs positions and pairs as the last two dimensions",
             "rank 2 or more");
  if (needs_fans(result.kind) && rank < 2)
    at.error("wrong-initializer",
             kind + " needs a fan-in, a tensor of rank " + std::to_string(rank) + " has none",
             "rank 2 or more, or another initializer");
}

}  // namespace

namespace {

/// The expressions among an initializer's numbers.
class Expressions {
 public:
  Expressions(const base::ValueReader& tensor, Parameters& parameters)
      : tensor_(tensor), json_(*tensor.json().find("initializer")), parameters_(parameters) {}

  void read(const std::string& key, base::IntegerRange range, double& value) {
    if (const base::JsonValue* text = json_.find(key)) read(*text, key, range, value);
  }
  void read_list(const std::string& key, base::IntegerRange range, Initializer& result) {
    const base::JsonValue* list = json_.find(key);
    if (list == nullptr || !list->is_array()) return;  // reported by the parser
    const auto& items = list->items();
    if (std::none_of(items.begin(), items.end(), [](const auto& item) { return item.is_string(); }))
      return;
    std::vector<double> values = *result.values;
    for (std::size_t i = 0; i < items.size(); ++i)
      read(items[i], key + "/" + std::to_string(i), range, values[i]);
    result.values = std::make_shared<const std::vector<double>>(std::move(values));
  }
  bool any() const { return any_; }
  base::ValueReader at() const {
    return {json_, tensor_.pointer() + "/initializer", tensor_.diagnostics()};
  }

 private:
  void read(const base::JsonValue& json, const std::string& key, base::IntegerRange range,
            double& value) {
    if (!json.is_string()) return;
    const base::ValueReader reader(json, tensor_.pointer() + "/initializer/" + key,
                                   tensor_.diagnostics());
    const auto integer = read_integer(reader, range, parameters_);
    if (integer) value = static_cast<double>(*integer);
    any_ = any_ || integer.has_value();
  }

  const base::ValueReader& tensor_;
  const base::JsonValue& json_;
  Parameters& parameters_;
  bool any_ = false;
};

}  // namespace

void resolve_expressions(const base::ValueReader& tensor, ElementType type, Parameters& parameters,
                         Initializer& result) {
  Expressions expressions(tensor, parameters);
  switch (result.kind) {
    case Kind::uniform_int:
      expressions.read("low", integers_of(type), result.low);
      expressions.read("high", integers_of(type), result.high);
      if (expressions.any() && result.low > result.high)
        expressions.at().error("out-of-range", "uniform_int: low is above high", "low <= high");
      return;
    case Kind::values:
      return expressions.read_list("values", integers_of(type), result);
    case Kind::rotary_cos:
    case Kind::rotary_sin:
      expressions.read("base", kRotaryBase, result.value);
      return expressions.read("start", kRotaryStart, result.low);
    case Kind::normal:
    case Kind::kaiming_normal:
    case Kind::xavier_normal:
      return expressions.read("outlier_scale", kOutlierScale, result.outlier_scale);
    default:
      return;
  }
}

std::optional<Initializer> parse_initializer(const base::ValueReader& value, ElementType type,
                                             std::size_t rank) {
  base::ObjectReader reader(value);
  std::vector<std::string> names;
  for (const auto& choice : choices()) names.push_back(choice.first);
  const auto kind = reader.required("kind", base::one_of(names));
  if (!kind) return std::nullopt;
  const std::size_t errors_before = value.diagnostics().items().size();
  const auto& [name, choice] = choices()[kind->choice(names)];
  if (value.diagnostics().items().size() > errors_before) return std::nullopt;
  Initializer result;
  result.kind = choice.kind;
  if (result.kind == Kind::constant)
    read_constant(reader, type, choice.value, result);
  else
    read_details(reader, name, type, result);
  reader.finish();
  check_fit(value, name, result, type, rank);
  return result;
}

Initializer initializer_of_text(const std::string& text, const std::string& place) {
  base::Diagnostics diagnostics;
  const base::JsonValue json = base::parse_json(text, place, diagnostics);
  diagnostics.throw_if_any();
  const base::ValueReader reader(json, "", diagnostics);
  constexpr std::size_t kMatrix = 2;
  const auto result = parse_initializer(reader, ElementType::floating, kMatrix);
  if (result && (result->kind == Kind::file || result->kind == Kind::values))
    reader.error("wrong-initializer", "values are to be drawn", "a kind that draws values");
  if (result)
    for (const auto& [key, value] : reader.members())
      if (key != "kind" && value.json().is_string())
        value.error("bad-expression", key + " has no parameters to refer to here", "a number");
  diagnostics.throw_if_any();
  return *result;
}

}  // namespace npusim::workloads
