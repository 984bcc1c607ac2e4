// SPDX-License-Identifier: Apache-2.0
#include "sim/check.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>

#include "base/whole_file.h"
#include "sim/metric_pattern.h"
#include "sim/writers/writers.h"

namespace npusim::sim {
namespace {

using base::JsonValue;

const Tolerance* tolerance_for(const std::string& pointer,
                               const std::vector<Tolerance>& tolerances) {
  for (const Tolerance& tolerance : tolerances)
    if (metric_matches(tolerance.metric, pointer)) return &tolerance;
  return nullptr;
}

/// Of each op's outputs: says where bits moved; what they may do is said of figures.
constexpr const char* kBitsHash = "bits_hash";

class Comparison {
 public:
  explicit Comparison(const std::vector<Tolerance>& tolerances) : tolerances_(tolerances) {}

  void values(const JsonValue& baseline, const JsonValue& current, const std::string& pointer) {
    const bool both_reals =
        baseline.is_number() && current.is_number() &&
        (baseline.kind() == JsonValue::Kind::real || current.kind() == JsonValue::Kind::real);
    if (both_reals) return reals(baseline, current, pointer);
    if (baseline.kind() != current.kind())
      return differ(baseline, current, pointer, "the same type");
    if (baseline.is_object()) return objects(baseline, current, pointer);
    if (baseline.is_array()) return arrays(baseline, current, pointer);
    if (base::dump_json(baseline, -1) != base::dump_json(current, -1))
      differ(baseline, current, pointer, "exactly equal");
  }

  std::vector<Violation> take() { return std::move(violations_); }

 private:
  void reals(const JsonValue& baseline, const JsonValue& current, const std::string& pointer) {
    const double was = baseline.number();
    const double is = current.number();
    const Tolerance* tolerance = tolerance_for(pointer, tolerances_);
    if (tolerance == nullptr) {
      if (was != is) differ(baseline, current, pointer, "exactly equal");
      return;
    }
    const double magnitude = std::fabs(was);
    const double ulp =
        std::nextafter(magnitude, std::numeric_limits<double>::infinity()) - magnitude;
    const double allowed =
        tolerance->absolute + tolerance->relative * magnitude + tolerance->ulps * ulp;
    const bool worse_up = tolerance->direction != Tolerance::Direction::higher_is_better;
    const bool worse_down = tolerance->direction != Tolerance::Direction::lower_is_better;
    if ((worse_up && is - was > allowed) || (worse_down && was - is > allowed))
      differ(baseline, current, pointer,
             "within " + base::dump_json(JsonValue::make_real(allowed), -1));
  }

  void objects(const JsonValue& baseline, const JsonValue& current, const std::string& pointer) {
    for (const auto& [key, value] : baseline.members()) {
      if (key == kBitsHash) continue;
      const std::string below = pointer + "/" + base::pointer_token(key);
      if (const JsonValue* other = current.find(key))
        values(value, *other, below);
      else
        violations_.push_back({below, text(value), "(absent)", "present on both sides", {}});
    }
    for (const auto& [key, value] : current.members())
      if (baseline.find(key) == nullptr && key != kBitsHash)
        violations_.push_back({pointer + "/" + base::pointer_token(key),
                               "(absent)",
                               text(value),
                               "present on both sides",
                               {}});
  }

  /// Elements are matched by "node" or "name" where they have one, so that an added op shows as one
  /// row.
  void arrays(const JsonValue& baseline, const JsonValue& current, const std::string& pointer) {
    const auto label = [](const JsonValue& value, std::size_t index) {
      for (const char* key : {"node", "name"})
        if (const JsonValue* text = value.is_object() ? value.find(key) : nullptr)
          if (text->is_string()) return text->string();
      return std::to_string(index);
    };
    JsonValue was = JsonValue::make_object();
    JsonValue is = JsonValue::make_object();
    for (std::size_t i = 0; i < baseline.items().size(); ++i)
      was.set(label(baseline.items()[i], i), baseline.items()[i]);
    for (std::size_t i = 0; i < current.items().size(); ++i)
      is.set(label(current.items()[i], i), current.items()[i]);
    objects(was, is, pointer);
  }

  static std::string text(const JsonValue& value) {
    std::string line = base::dump_json(value, -1);
    if (line.size() > 60) line = line.substr(0, 57) + "...";
    return line;
  }

  void differ(const JsonValue& baseline, const JsonValue& current, const std::string& pointer,
              const std::string& limit) {
    violations_.push_back({pointer, text(baseline), text(current), limit, {}});
    if (baseline.is_number() && current.is_number() && baseline.number() != 0.0)
      violations_.back().ratio = current.number() / baseline.number();
  }

  const std::vector<Tolerance>& tolerances_;
  std::vector<Violation> violations_;
};

CheckRow check_run(const SuiteRun& run, const RunOptions& common,
                   const std::vector<Tolerance>& tolerances, bool update) {
  CheckRow row;
  row.name = run.name;
  RunOptions options = run.options;
  options.jobs = common.jobs;
  options.quiet = common.quiet;
  options.interrupted = common.interrupted;
  options.mistakes_fail_runs = true;
  options.overrides.insert(options.overrides.end(), common.overrides.begin(),
                           common.overrides.end());
  const Result result = run_all({run.request}, options);
  row.wall_seconds = result.host.wall_seconds;
  const RunResult& outcome = result.runs.front();
  row.hypothetical = !outcome.hypothetical.empty();
  if (outcome.status == Status::failed || outcome.status == Status::interrupted) {
    row.error = std::string(name_of(outcome.status)) + ": " + outcome.error;
    return row;
  }
  const JsonValue current = baseline_of(outcome);
  const bool exists = std::filesystem::is_regular_file(run.baseline_file);
  if (exists) {
    const JsonValue baseline = base::parse_json_file(run.baseline_file);
    row.violations = compare_to_baseline(baseline, current, tolerances);
    if (!row.violations.empty()) row.bits = bits_moved(baseline, current, &row.first_op);
    row.moved = first_moved_tensor(baseline, current);
  } else if (!update) {
    row.error = "baseline " + run.baseline_file + " does not exist (--update writes it)";
  }
  if (update) base::write_whole_file(run.baseline_file, base::dump_json(current) + "\n");
  return row;
}

}  // namespace

base::JsonValue baseline_of(const RunResult& run) {
  JsonValue object = json_of(run);
  auto& members = object.members();
  // The resolved config stands in the repo already; what it resolves to is seen in the metrics, and
  // a reworded description is no regression.
  members.erase(std::remove_if(members.begin(), members.end(),
                               [](const auto& member) {
                                 return member.first == "config" || member.first == "config_hash";
                               }),
                members.end());
  return object;
}

std::vector<Violation> compare_to_baseline(const base::JsonValue& baseline,
                                           const base::JsonValue& current,
                                           const std::vector<Tolerance>& tolerances) {
  Comparison comparison(tolerances);
  comparison.values(baseline, current, "");
  return comparison.take();
}

CheckReport check_suite(const Suite& suite, const RunOptions& common, bool update) {
  CheckReport report;
  report.suite = suite.name;
  for (const SuiteRun& run : suite.runs)
    report.rows.push_back(check_run(run, common, suite.tolerances, update));
  return report;
}

bool CheckReport::passed() const {
  return std::all_of(rows.begin(), rows.end(), [](const CheckRow& row) { return row.passed(); });
}

}  // namespace npusim::sim
