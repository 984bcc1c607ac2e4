// SPDX-License-Identifier: Apache-2.0
#include "npu_models/array_reader.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <stdexcept>

#include "npu_models/input_units.h"
#include "npu_models/npu_file.h"
#include "npu_models/organisation.h"
#include "npu_models/stage_reader.h"
#include "npu_models/unit_reader.h"

namespace npusim::npu {
namespace {

constexpr base::IntegerRange kArraySide{1, std::int64_t{1} << 16};
constexpr base::IntegerRange kArrays{1, std::int64_t{1} << 12};
constexpr base::IntegerRange kRate{1, 1024};
constexpr base::IntegerRange kInTurn{1, 1024};
constexpr base::IntegerRange kGap{0, std::int64_t{1} << 16};

std::vector<std::string> organisation_names() {
  std::vector<std::string> names;
  for (const Organisation* organisation : organisations()) names.push_back(organisation->name());
  return names;
}

/// A MAC-unit file, relative to the file that names it.
std::string unit_path(const base::JsonValue& name) {
  const auto& file = name.origin().file;
  const std::filesystem::path folder =
      file && name.origin().line > 0 ? std::filesystem::path(*file).parent_path() : "";
  return (folder / name.string()).lexically_normal().string();
}

bool alike(const std::optional<precision::BlockScales>& x,
           const std::optional<precision::BlockScales>& y) {
  if (!x || !y) return !x && !y;
  return x->block == y->block && x->format == y->format;
}

/// Key `units` of an input; `stationary`: format of its second operand.
void read_units(base::ObjectReader& entry, const std::vector<base::Override>& overrides,
                const precision::Format& stationary, InputMode& mode) {
  for (const base::ValueReader& value : entry.optional_array("units")) {
    if (value.string().empty()) continue;
    const std::string path = unit_path(value.json());
    try {
      precision::MacUnit unit = load_mac_unit(path, applicable_to_unit(path, overrides));
      const bool pair = stationary.name != mode.format.name;
      if (unit.a.name != mode.format.name || unit.b.name != stationary.name)
        value.error(
            "illegal-unit", unit.name + " multiplies " + unit.a.name + " and " + unit.b.name,
            "a unit for operands in " + mode.format.name + (pair ? " and " + stationary.name : ""));
      if (!mode.units.empty() && !alike(mode.units.front().scales, unit.scales))
        value.error("illegal-unit", unit.name + " has other block scales than the unit before it",
                    "units of an input take the same operands");
      mode.slices_a = unit.slices_a;
      mode.slices_b = unit.slices_b;
      mode.passes = unit.passes;
      mode.units.push_back(std::move(unit));
    } catch (const base::InputError& error) {
      value.error("bad-unit", base::to_string(error.diagnostics().front()),
                  "a MAC-unit file, relative to this one");
    }
  }
  if (!mode.units.empty() && entry.has("passes"))
    entry.error("passes", "illegal-combination", "the input's units say how it is multiplied",
                "units or passes");
}

std::vector<precision::Format> accumulators_of_units(const std::vector<InputMode>& inputs) {
  std::vector<precision::Format> formats;
  for (const InputMode& mode : inputs)
    for (const precision::MacUnit& unit : mode.units) {
      const precision::Format& format = unit.accumulator().format;
      if (std::none_of(formats.begin(), formats.end(),
                       [&](const precision::Format& known) { return known.name == format.name; }))
        formats.push_back(format);
    }
  return formats;
}

/// An input of two formats that is summed as the array says.
struct Pair {
  std::size_t input;
  precision::Format stationary;
  base::ValueReader place;
};

std::vector<InputMode> read_inputs(base::ObjectReader& object,
                                   const std::vector<base::Override>& unit_overrides,
                                   std::vector<Pair>& pairs) {
  std::vector<InputMode> inputs;
  std::set<std::string> seen;
  for (const base::ValueReader& value : object.array("inputs")) {
    base::ObjectReader entry(value);
    InputMode mode;
    const auto format = entry.required("format", known_formats());
    if (format) mode.format = read_format(*format);
    mode.macs_per_pe_per_cycle = entry.integer("macs_per_pe_per_cycle", kRate, 1);
    mode.cycles_per_step = entry.integer("cycles_per_step", kRate, 1);
    read_passes(entry, mode.slices_a, mode.slices_b, mode.passes);
    const auto other = entry.optional("format_b");
    const precision::Format stationary = other ? read_format(*other) : mode.format;
    if (format) read_units(entry, unit_overrides, stationary, mode);
    entry.finish();
    OperandFormats operands = operands_of(mode);
    operands.stationary = stationary;
    if (format && !seen.insert(operands.name()).second)
      format->error("duplicate", "input format " + operands.name() + " stands twice",
                    "each format once");
    if (mode.units.empty() && stationary.name != mode.format.name)
      pairs.push_back({inputs.size(), stationary, *other});
    inputs.push_back(std::move(mode));
  }
  if (inputs.empty() && object.self().json().find("inputs") != nullptr &&
      object.self().json().find("inputs")->is_array())
    object.error("inputs", "empty", "the array takes no input format", "at least one");
  return inputs;
}

/// Their units are the array's own with another second operand.
void describe_pairs(const std::vector<Pair>& pairs, MacArraySpec& array) {
  for (const Pair& pair : pairs) {
    InputMode& mode = array.inputs[pair.input];
    for (const precision::Format& accumulator : array.accumulator.choices) {
      precision::MacUnit unit = described_unit(array, mode, accumulator);
      unit.b = pair.stationary;
      unit.name = "array_" + unit.a.name + "_" + unit.b.name + "_" + accumulator.name;
      try {
        precision::validate(unit);
      } catch (const std::invalid_argument& mistake) {
        pair.place.error("illegal-unit", mistake.what(), "formats that the array can multiply");
        return;
      }
      mode.units.push_back(std::move(unit));
    }
  }
}

/// A default where only 1 is possible anyway; elsewhere the file must say.
std::optional<std::int64_t> one_if(bool only_choice) {
  return only_choice ? std::optional<std::int64_t>(1) : std::nullopt;
}

/// Which keys mean something for an organisation and dataflow.
class Options {
 public:
  Options(base::ObjectReader& object, bool organisation_known, MacArraySpec& array)
      : object_(object), known_(organisation_known), array_(array) {}

  void read() {
    const bool systolic = is("systolic");
    if (means(systolic, "dataflow", "only with organisation systolic"))
      array_.dataflow =
          object_.choice<Dataflow>("dataflow",
                                   {{"weight_stationary", Dataflow::weight_stationary},
                                    {"input_stationary", Dataflow::input_stationary},
                                    {"output_stationary", Dataflow::output_stationary}},
                                   Dataflow::weight_stationary);
    if (means(systolic, "fold_overlap", "only with organisation systolic"))
      array_.fold_overlap = object_.boolean("fold_overlap", true);
    if (means(systolic, "completion", "only with organisation systolic"))
      array_.completion = object_.choice<Completion>(
          "completion",
          {{"leaves_array", Completion::leaves_array}, {"written", Completion::written}},
          Completion::leaves_array);
    const bool outputs_stay = systolic && array_.dataflow == Dataflow::output_stationary;
    read_stationary(systolic && !outputs_stay);
    if (means(outputs_stay, "drain", "only with dataflow output_stationary"))
      array_.drain = object_.choice<Drain>(
          "drain", {{"shift", Drain::shift}, {"direct", Drain::direct}}, Drain::shift);
    if (means(outputs_stay || is("simd"), "outputs_per_pe",
              "only with dataflow output_stationary or organisation simd"))
      array_.outputs_per_pe = object_.integer("outputs_per_pe", kInTurn, 1);
    const bool recurrent = outputs_stay || is("simd") || is("cube") || is("dot_product");
    if (means(recurrent, "partial_sums_per_output",
              "only with dataflow output_stationary or organisation cube, dot_product or simd"))
      array_.partial_sums_per_output = object_.integer("partial_sums_per_output", kInTurn, 1);
    read_fragment();
  }

 private:
  bool is(const char* organisation) const { return array_.organisation == organisation; }

  /// True when the key is to be read; reports it where it stands without a meaning. Null stands for
  /// absent, so that a command line may take away what belongs to another dataflow.
  bool means(bool legal, const char* key, const char* allowed) {
    if (legal || !known_) return known_ || object_.has(key);
    const auto value = object_.optional(key);
    if (value && value->json().kind() != base::JsonValue::Kind::null)
      object_.error(key, "illegal-combination",
                    std::string(key) + " has no meaning for organisation " + array_.organisation +
                        (is("systolic") ? " as it is described here" : ""),
                    allowed);
    return false;
  }

  void read_stationary(bool legal) {
    constexpr const char* kWhere = "only with dataflow weight_stationary or input_stationary";
    if (means(legal, "partial_sums", kWhere))
      array_.partial_sums =
          object_.choice<PartialSums>("partial_sums",
                                      {{"accumulate_below", PartialSums::accumulate_below},
                                       {"reinject_above", PartialSums::reinject_above}},
                                      PartialSums::accumulate_below);
    if (means(legal, "preload_hiding", kWhere))
      array_.preload_hiding = object_.boolean("preload_hiding", true);
    if (means(legal, "preload_skew", kWhere))
      array_.preload_skew = object_.boolean("preload_skew", true);
    if (means(legal, "fold_gap_cycles", kWhere))
      array_.fold_gap_cycles = object_.integer("fold_gap_cycles", kGap, 0);
    if (means(legal && array_.preload_hiding, "swap", "only with preload_hiding"))
      array_.swap = object_.choice<Swap>(
          "swap", {{"wavefront", Swap::wavefront}, {"all_at_once", Swap::all_at_once}},
          Swap::wavefront);
  }

  void read_fragment() {
    const bool legal = is("tensor_core");
    if (means(legal, "fragments_in_flight", "only with organisation tensor_core"))
      array_.fragments_in_flight = object_.integer("fragments_in_flight", kInTurn, 1);
    if (!means(legal, "fragment", "only with organisation tensor_core")) return;
    array_.fragment = {array_.rows, array_.cols, array_.depth};
    if (auto fragment = object_.optional_object("fragment")) {
      array_.fragment.m = fragment->integer("m", kArraySide, array_.rows);
      array_.fragment.n = fragment->integer("n", kArraySide, array_.cols);
      array_.fragment.k = fragment->integer("k", kArraySide, array_.depth);
      fragment->finish();
    }
  }

  base::ObjectReader& object_;
  bool known_;
  MacArraySpec& array_;
};

}  // namespace

std::map<std::string, std::string> unit_files_of(const base::JsonValue& document) {
  std::map<std::string, std::string> files;
  const base::JsonValue* const array = document.find("mac_array");
  const base::JsonValue* const inputs = array == nullptr ? nullptr : array->find("inputs");
  if (inputs == nullptr || !inputs->is_array()) return files;
  for (const base::JsonValue& input : inputs->items()) {
    const base::JsonValue* const units = input.is_object() ? input.find("units") : nullptr;
    if (units == nullptr || !units->is_array()) continue;
    for (const base::JsonValue& name : units->items())
      if (name.is_string() && !name.string().empty()) files.emplace(name.string(), unit_path(name));
  }
  return files;
}

MacArraySpec read_mac_array(base::ObjectReader& object,
                            const std::vector<base::Override>& unit_overrides) {
  MacArraySpec array;
  const std::vector<std::string> names = organisation_names();
  const auto organisation = object.required("organisation", base::one_of(names));
  const std::size_t mistakes = object.self().diagnostics().items().size();
  const std::size_t chosen = organisation ? organisation->choice(names) : 0;
  const bool known = organisation && object.self().diagnostics().items().size() == mistakes;
  array.organisation = names[chosen];
  array.rows = object.integer("rows", kArraySide);
  array.cols =
      object.integer("cols", kArraySide, one_if(!known || array.organisation == "dot_product"));
  array.depth =
      object.integer("depth", kArraySide, one_if(!known || array.organisation == "systolic"));
  array.arrays = object.integer("arrays", kArrays, 1);
  std::vector<Pair> pairs;
  array.inputs = read_inputs(object, unit_overrides, pairs);
  array.product = read_product(object);
  array.inner_stages = read_inner_stages(object);
  if (auto accumulator = object.object("accumulator"))
    array.accumulator = read_accumulator(*accumulator, accumulators_of_units(array.inputs));
  describe_pairs(pairs, array);
  Options(object, known, array).read();
  array.order = organisations()[chosen]->default_order(array);
  if (auto order = object.optional_object("reduction_order"))
    array.order = read_reduction_order(*order, std::move(array.order));
  object.finish();
  return array;
}

}  // namespace npusim::npu
