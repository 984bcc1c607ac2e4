// SPDX-License-Identifier: Apache-2.0
#include "npu_models/stage_reader.h"

#include "npu_models/unit_reader.h"

namespace npusim::npu {
namespace {

using precision::AlignBy;
using precision::Alignment;
using precision::Combine;
using precision::Cut;
using precision::Stage;

constexpr base::IntegerRange kGroupTerms{2, std::int64_t{1} << 20};
constexpr base::IntegerRange kStepTerms{1, std::int64_t{1} << 20};
constexpr base::IntegerRange kKeptBits{1, 50};
constexpr base::IntegerRange kGap{0, 4096};
constexpr base::IntegerRange kSlice{0, 15};
constexpr base::IntegerRange kExponent{-4096, 4096};
const char* const kAsAccumulator = "accumulator";
const char* const kAll = "all";

Cut read_cut(base::ObjectReader& object, Cut fallback) {
  return object.choice<Cut>("cut", {{"truncate", Cut::truncate}, {"floor", Cut::floor}}, fallback);
}

void read_running(base::ObjectReader& object, Alignment& alignment) {
  auto running = object.optional_object("running");
  if (!running) return;
  if (running->has("fraction_bits"))
    alignment.running_fraction_bits =
        static_cast<int>(running->integer("fraction_bits", kKeptBits));
  if (running->has("cut")) alignment.running_cut = read_cut(*running, alignment.cut);
  if (running->has("gap")) alignment.running_gap = static_cast<int>(running->integer("gap", kGap));
  running->finish();
}

/// Key `alignment`: of an aligned stage, and only there.
Alignment read_alignment(base::ObjectReader& object, Combine combine) {
  Alignment alignment;
  if (combine != Combine::aligned) {
    if (object.has("alignment"))
      object.error("alignment", "illegal-combination", "only an aligned stage has an alignment",
                   "combine aligned, or no alignment");
    return alignment;
  }
  auto section = object.object("alignment");
  if (!section) return {1, Cut::truncate, AlignBy::operands, {}, {}, {}, {}};
  alignment.fraction_bits = static_cast<int>(section->integer("fraction_bits", kKeptBits));
  alignment.cut = read_cut(*section, Cut::truncate);
  alignment.by = section->choice<AlignBy>(
      "by", {{"operands", AlignBy::operands}, {"value", AlignBy::value}, {"scale", AlignBy::scale}},
      AlignBy::operands);
  read_running(*section, alignment);
  if (section->has("lowest_exponent"))
    alignment.lowest_exponent = static_cast<int>(section->integer("lowest_exponent", kExponent));
  section->finish();
  return alignment;
}

/// An aligned accumulator takes a number of terms at a time; an exact one may take "all".
std::int64_t read_step(base::ObjectReader& object, Combine combine, bool required) {
  const bool block = combine == Combine::aligned || combine == Combine::exact;
  if (!block) {
    if (object.has("step"))
      object.error("step", "illegal-combination", "only aligned and exact stages have a step",
                   "combine aligned or exact, or no step");
    return 0;
  }
  const auto step = required
                        ? object.required("step", "a number of terms, or \"all\" for an exact sum")
                        : object.optional("step");
  if (!step) return required ? 1 : 0;
  if (step->json().is_string() && combine == Combine::exact) {
    step->choice({kAll});
    return 0;
  }
  return step->integer(kStepTerms);
}

void read_stage_arithmetic(const base::ValueReader& value, base::ObjectReader& object,
                           Stage& stage) {
  const base::JsonValue* format = value.json().is_object() ? value.json().find("format") : nullptr;
  if (!stage.rounds) {
    // What is handed on unrounded has no format.
    stage.arithmetic.format = precision::fp32();
    return;
  }
  if (format != nullptr && format->is_string() && format->string() == kAsAccumulator) {
    object.optional("format");
    stage.arithmetic.format = precision::Format{};
  } else {
    stage.arithmetic = read_arithmetic(object);
  }
}

Stage read_stage(const base::ValueReader& value) {
  base::ObjectReader object(value);
  Stage stage;
  stage.terms = object.integer("terms", kGroupTerms);
  stage.combine = object.choice<Combine>("combine", {{"tree", Combine::tree},
                                                     {"chain", Combine::chain},
                                                     {"aligned", Combine::aligned},
                                                     {"exact", Combine::exact}});
  stage.step = read_step(object, stage.combine, false);
  stage.alignment = read_alignment(object, stage.combine);
  stage.rounds = object.boolean("rounds", true);
  stage.starts_from_zero = object.boolean("starts_from_zero", false);
  read_stage_arithmetic(value, object, stage);
  object.finish();
  return stage;
}

precision::Slices read_slices(base::ObjectReader& object, const char* key) {
  precision::Slices slices;
  for (const base::ValueReader& value : object.optional_array(key)) {
    base::ObjectReader slice(value);
    slices.push_back(read_arithmetic(slice));
    slice.finish();
  }
  return slices;
}

}  // namespace

void read_passes(base::ObjectReader& root, precision::Slices& slices_a, precision::Slices& slices_b,
                 precision::Passes& passes) {
  auto object = root.optional_object("passes");
  if (!object) return;
  slices_a = read_slices(*object, "slices_a");
  slices_b = read_slices(*object, "slices_b");
  for (const base::ValueReader& pass : object->array("order")) {
    const std::vector<base::ValueReader> pair = pass.array();
    if (pair.size() != 2) {
      if (pass.json().is_array())
        pass.error("wrong-size", "a pass names two slices", "[slice of a, slice of b]");
      continue;
    }
    passes.order.emplace_back(static_cast<int>(pair[0].integer(kSlice, 0)),
                              static_cast<int>(pair[1].integer(kSlice, 0)));
  }
  passes.innermost = object->boolean("innermost", false);
  object->finish();
}

std::vector<Stage> read_inner_stages(base::ObjectReader& object) {
  std::vector<Stage> stages;
  for (const base::ValueReader& value : object.optional_array("inner_stages"))
    stages.push_back(read_stage(value));
  return stages;
}

Stage read_accumulator_stage(base::ObjectReader& object) {
  Stage stage;
  stage.combine = object.choice<Combine>(
      "combine",
      {{"chain", Combine::chain}, {"aligned", Combine::aligned}, {"exact", Combine::exact}},
      Combine::chain);
  stage.step = read_step(object, stage.combine, true);
  stage.alignment = read_alignment(object, stage.combine);
  return stage;
}

std::vector<Stage> complete_stages(std::vector<Stage> inner, const Stage& accumulator) {
  for (Stage& stage : inner)
    if (stage.arithmetic.format.name.empty()) stage.arithmetic = accumulator.arithmetic;
  inner.push_back(accumulator);
  return inner;
}

}  // namespace npusim::npu
