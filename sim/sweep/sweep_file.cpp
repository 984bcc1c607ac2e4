// SPDX-License-Identifier: Apache-2.0
// Reading of sweep files.
#include <algorithm>
#include <cmath>
#include <filesystem>

#include "base/config_file.h"
#include "base/object_reader.h"
#include "npu_models/npu_file.h"
#include "sim/catalog.h"
#include "sim/run_parts.h"
#include "sim/sweep/design_space.h"
#include "sim/sweep/metrics.h"
#include "sim/sweep/sweep_checks.h"
#include "sim/sweep/sweep_spec.h"

namespace npusim::sim {
namespace {

constexpr base::IntegerRange kCount{1, 1'000'000};
constexpr base::IntegerRange kStride{2, 1 << 20};
constexpr base::IntegerRange kSamples{1, kMostPoints};
constexpr base::NumberRange kSeconds{0.0, 1e6, true};
constexpr base::NumberRange kGib{0.0, 1e6, true};
const char* const kFileOrName = "a file, or the name of a shipped one";

const std::vector<std::pair<std::string, Search>> kSearches = {
    {"grid", Search::grid},
    {"list", Search::list},
    {"random", Search::random},
    {"latin_hypercube", Search::latin_hypercube}};

/// `folder`: where to look; nullptr: names are taken as they are.
std::string file_at(base::ObjectReader& reader, const char* kind, bool required,
                    const std::string* folder) {
  const auto value = required ? reader.required(kind, kFileOrName) : reader.optional(kind);
  if (!value) return {};
  return folder != nullptr ? find_named_file(*value, kind, *folder) : value->string();
}

/// A path or a list of them that take the same value.
std::vector<std::string> read_paths(base::ObjectReader& reader) {
  std::vector<std::string> paths;
  const auto value = reader.required("path", "a config path, or several that vary together");
  if (!value) return paths;
  if (value->json().is_array()) {
    for (const base::ValueReader& item : value->array()) paths.push_back(item.string());
    if (paths.empty()) value->error("empty", "no path", "at least one path");
  } else {
    paths.push_back(value->string());
  }
  paths.erase(std::remove(paths.begin(), paths.end(), std::string()), paths.end());
  return paths;
}

/// Beyond, neighbours of an integer are no doubles.
constexpr double kMostInteger = 9007199254740992.0;  // 2^53

void check_range(base::ObjectReader& reader, const Axis& axis) {
  if (axis.logarithmic && !(axis.from > 0.0 && axis.to > 0.0))
    reader.error("scale", "illegal-combination", "a logarithmic range needs positive ends",
                 "from and to above 0");
  else if (axis.logarithmic && !std::isnormal(axis.to / axis.from))
    reader.error("scale", "illegal-combination", "the ratio of the range's ends is no double",
                 "from and to whose ratio is from 2.3e-308 to 1.7e308");
  if (!std::isfinite(axis.to - axis.from))
    reader.error("to", "illegal-combination", "the range is wider than a double can say",
                 "from and to less than 1.7e308 apart");
  if (!axis.integer) return;
  if (axis.from != std::floor(axis.from) || axis.to != std::floor(axis.to))
    reader.error("integer", "illegal-combination", "an end of the range is no integer",
                 "from and to without fraction");
  for (const auto& [key, end] : {std::pair{"from", axis.from}, {"to", axis.to}})
    if (std::abs(end) > kMostInteger)
      reader.error(key, "out-of-range", "an integer range ends beyond 2^53",
                   "an integer from -9007199254740992 to 9007199254740992");
}

void read_range(base::ObjectReader& reader, Axis& axis, bool sampled) {
  axis.from = reader.number("from", {});
  axis.to = reader.number("to", {});
  axis.logarithmic = reader.choice<bool>("scale", {{"linear", false}, {"log", true}}, false);
  axis.integer = reader.boolean("integer", false);
  const std::size_t mistakes = reader.self().diagnostics().items().size();
  check_range(reader, axis);
  const bool sound = reader.self().diagnostics().items().size() == mistakes;
  const bool has_count = reader.has("count");
  if (!sampled || has_count) {
    const std::int64_t count = reader.integer("count", kCount);
    if (sound) axis.values = cut_range(axis, count);
  }
}

Axis read_axis(const base::ValueReader& value, bool sampled) {
  base::ObjectReader reader(value);
  Axis axis;
  axis.paths = read_paths(reader);
  if (reader.has("values")) {
    for (const base::ValueReader& item : reader.array("values")) axis.values.push_back(item.json());
    if (axis.values.empty()) reader.error("values", "empty", "no value", "at least one value");
  } else if (value.json().is_object()) {
    if (reader.has("from") || reader.has("to"))
      read_range(reader, axis, sampled);
    else
      reader.required("values", "a list of values, or a range: from, to and count");
  }
  reader.finish();
  return axis;
}

void read_search(base::ObjectReader& root, Sweep& sweep) {
  if (auto search = root.optional_object("search")) {
    sweep.search = search->choice<Search>("method", kSearches);
    if (sweep.search == Search::random || sweep.search == Search::latin_hypercube) {
      sweep.samples = search->integer("samples", kSamples);
      sweep.sample_seed =
          static_cast<std::uint64_t>(search->integer("seed", base::kNonNegative, 0));
    }
    if (auto refine = search->has("refine") ? search->object("refine") : std::nullopt) {
      if (sweep.search != Search::grid)
        search->error("refine", "illegal-combination", "only a grid has neighbours to refine",
                      "method grid");
      sweep.refine_stride = refine->integer("stride", kStride);
      refine->finish();
    }
    search->finish();
  }
}

void read_points(base::ObjectReader& root, Sweep& sweep) {
  if (sweep.search != Search::list) {
    const bool sampled = sweep.search != Search::grid;
    for (const base::ValueReader& item : root.array("axes"))
      sweep.axes.push_back(read_axis(item, sampled));
    return;
  }
  const auto points = root.required("points", "a list of points: values by config path");
  if (!points) return;
  for (const base::ValueReader& item : points->array()) {
    Assignment point;
    for (const auto& [path, value] : item.members()) point.push_back({path, value.json()});
    sweep.points.push_back(std::move(point));
  }
  if (points->json().is_array() && sweep.points.empty())
    points->error("empty", "no point", "at least one point");
}

std::size_t read_metric(const base::ValueReader& value, const Sweep& sweep) {
  const std::size_t metric = value.choice(sweep_metric_names());
  const std::string needs = sweep_metrics()[metric].needs;
  const bool missing = (needs == "timing" && !sweep.timing) ||
                       (needs == "numerics" && !sweep.numerics) ||
                       (needs == "what_if" && !sweep.what_if);
  if (missing && value.json().is_string() && value.json().string() == sweep_metrics()[metric].name)
    value.error("not-computed", value.json().string() + " needs \"" + needs + "\": true",
                "a metric that this sweep computes");
  return metric;
}

void read_constraints(base::ObjectReader& root, Sweep& sweep) {
  for (const base::ValueReader& item : root.optional_array("constraints")) {
    base::ObjectReader reader(item);
    Constraint constraint;
    if (const auto metric = reader.required("metric", base::one_of(sweep_metric_names())))
      constraint.metric = read_metric(*metric, sweep);
    if (reader.has("at_most")) constraint.at_most = reader.number("at_most", {});
    if (reader.has("at_least")) constraint.at_least = reader.number("at_least", {});
    if (item.json().is_object() && !constraint.at_most && !constraint.at_least)
      reader.error("at_most", "missing-key", "a constraint without a bound",
                   "at_most, at_least or both");
    reader.finish();
    sweep.constraints.push_back(constraint);
  }
}

void read_objectives(base::ObjectReader& root, Sweep& sweep) {
  const auto given = root.optional("objectives");
  if (given) {
    for (const base::ValueReader& item : given->array())
      sweep.objectives.push_back(read_metric(item, sweep));
    if (given->json().is_array() && sweep.objectives.empty())
      given->error("empty", "no objective", "at least one metric");
    return;
  }
  for (const char* name : {"seconds", "energy_mj", "rel_error"}) {
    const std::size_t metric = *find_metric(name);
    const std::string needs = sweep_metrics()[metric].needs;
    if (needs == "timing" ? sweep.timing : sweep.numerics) sweep.objectives.push_back(metric);
  }
}

void read_limits(base::ObjectReader& root, Sweep& sweep) {
  auto limits = root.optional_object("limits");
  if (!limits) return;
  if (limits->has("seconds")) sweep.limits.seconds = limits->number("seconds", kSeconds);
  if (limits->has("memory_gib")) sweep.limits.memory_gib = limits->number("memory_gib", kGib);
  limits->finish();
}

/// The product of the axes' counts, found before anything multiplies out of range.
void check_size(base::ObjectReader& root, const Sweep& sweep) {
  if (sweep.search != Search::grid) return;
  double size = 1.0;
  for (const Axis& axis : sweep.axes) size *= static_cast<double>(axis.values.size());
  if (size > static_cast<double>(kMostPoints))
    root.error("axes", "too-large", "the grid has more than 100 million points",
               "fewer values, or a search by random or latin_hypercube");
}

/// Everything but what other files say.
Sweep read_sweep(base::ObjectReader& root, const std::string* folder) {
  Sweep sweep;
  for (const char* header : {"schema_version", "kind"}) root.has(header);
  sweep.name = root.string("name");
  sweep.description = root.string("description", "");
  sweep.request.npu_file = file_at(root, "npu", true, folder);
  sweep.request.workload_file = file_at(root, "workload", true, folder);
  sweep.request.recipe_file = file_at(root, "recipe", false, folder);
  sweep.request.mode = root.choice<Mode>(
      "mode", {{"inference", Mode::inference}, {"training", Mode::training}}, Mode::inference);
  sweep.seed = static_cast<std::uint64_t>(root.integer("seed", base::kNonNegative, 0));
  sweep.timing = root.boolean("timing", true);
  sweep.numerics = root.boolean("numerics", false);
  sweep.what_if = root.boolean("what_if", false);
  for (const base::ValueReader& item : root.optional_array("set"))
    sweep.overrides.push_back(item.string());
  read_search(root, sweep);
  read_points(root, sweep);
  read_constraints(root, sweep);
  read_objectives(root, sweep);
  read_limits(root, sweep);
  root.finish();
  check_size(root, sweep);
  return sweep;
}

}  // namespace

Sweep load_sweep(const std::string& path) {
  base::Diagnostics diagnostics;
  base::JsonValue document = base::load_config(path, "sweep", {}, diagnostics);
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  const std::string folder = parent.empty() ? "." : parent.string();
  base::ObjectReader root(base::ValueReader(document, "", diagnostics));
  Sweep sweep = read_sweep(root, &folder);
  sweep.folder = folder;
  if (!diagnostics.spoilt()) check_settings(sweep, root, diagnostics);
  diagnostics.throw_if_any();
  sweep.resolved = std::move(document);
  return sweep;
}

Sweep sweep_of_text(const std::string& text, const std::string& source) {
  base::Diagnostics diagnostics;
  base::JsonValue document = base::parse_json(text, source);
  base::ObjectReader root(base::ValueReader(document, "", diagnostics));
  Sweep sweep = read_sweep(root, nullptr);
  diagnostics.throw_if_any();
  sweep.resolved = std::move(document);
  return sweep;
}

}  // namespace npusim::sim
