// SPDX-License-Identifier: Apache-2.0
#include "npu_models/array_reader.h"

#include <algorithm>
#include <set>

#include "npu_models/organisation.h"
#include "npu_models/stage_reader.h"
#include "npu_models/unit_reader.h"

namespace npusim::npu {
namespace {

constexpr base::IntegerRange kArraySide{1, std::int64_t{1} << 16};
constexpr base::IntegerRange kArrays{1, std::int64_t{1} << 12};
constexpr base::IntegerRange kRate{1, 1024};

std::vector<std::string> organisation_names() {
  std::vector<std::string> names;
  for (const Organisation* organisation : organisations()) names.push_back(organisation->name());
  return names;
}

std::vector<InputMode> read_inputs(base::ObjectReader& object) {
  std::vector<InputMode> inputs;
  std::set<std::string> seen;
  for (const base::ValueReader& value : object.array("inputs")) {
    base::ObjectReader entry(value);
    InputMode mode;
    const auto format = entry.required("format", known_formats());
    if (format) mode.format = read_format(*format);
    mode.macs_per_pe_per_cycle = entry.integer("macs_per_pe_per_cycle", kRate, 1);
    read_passes(entry, mode.slices_a, mode.slices_b, mode.passes);
    entry.finish();
    if (format && !seen.insert(mode.format.name).second)
      format->error("duplicate", "input format " + mode.format.name + " stands twice",
                    "each format once");
    inputs.push_back(std::move(mode));
  }
  if (inputs.empty() && object.self().json().find("inputs") != nullptr &&
      object.self().json().find("inputs")->is_array())
    object.error("inputs", "empty", "the array takes no input format", "at least one");
  return inputs;
}

/// A default where only 1 is possible anyway; elsewhere the file must say.
std::optional<std::int64_t> one_if(bool only_choice) {
  return only_choice ? std::optional<std::int64_t>(1) : std::nullopt;
}

/// Keys that only a systolic array has a meaning for.
void read_systolic_options(base::ObjectReader& object, bool organisation_known,
                           MacArraySpec& array) {
  if (organisation_known && array.organisation != "systolic") {
    for (const char* key : {"dataflow", "partial_sums", "fold_overlap", "preload_hiding"}) {
      if (object.has(key))
        object.error(key, "illegal-combination",
                     std::string(key) + " has no meaning for organisation " + array.organisation,
                     "only with organisation systolic");
    }
    return;
  }
  object.choice<int>("dataflow", {{"weight_stationary", 0}}, 0);
  array.partial_sums =
      object.choice<PartialSums>("partial_sums",
                                 {{"accumulate_below", PartialSums::accumulate_below},
                                  {"reinject_above", PartialSums::reinject_above}},
                                 PartialSums::accumulate_below);
  array.fold_overlap = object.boolean("fold_overlap", true);
  array.preload_hiding = object.boolean("preload_hiding", true);
}

}  // namespace

MacArraySpec read_mac_array(base::ObjectReader& object) {
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
  array.inputs = read_inputs(object);
  array.product = read_product(object);
  array.inner_stages = read_inner_stages(object);
  if (auto accumulator = object.object("accumulator"))
    array.accumulator = read_accumulator(*accumulator);
  read_systolic_options(object, known, array);
  array.order = organisations()[chosen]->default_order(array);
  if (auto order = object.optional_object("reduction_order"))
    array.order = read_reduction_order(*order, std::move(array.order));
  object.finish();
  return array;
}

}  // namespace npusim::npu
