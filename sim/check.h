// SPDX-License-Identifier: Apache-2.0
// Regression runs: a suite names runs and their baselines. Integers, strings and coverage compare
// exactly; reals within the suite's tolerances (exactly where none matches). Keys on one side only
// are violations too.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sim/bits_moved.h"
#include "sim/run.h"

namespace npusim::sim {

/// The first tolerance whose pattern matches a metric's pointer holds. `*` matches one token, `**`
/// any.
struct Tolerance {
  std::string metric;  ///< e.g. "/numerics/**/rel_fro"
  double absolute = 0.0;
  double relative = 0.0;  ///< of the baseline's magnitude
  double ulps = 0.0;      ///< binary64 units in the last place of the baseline
  enum class Direction { both, lower_is_better, higher_is_better } direction = Direction::both;
};

struct SuiteRun {
  std::string name;
  RunRequest request;
  RunOptions options;
  std::string baseline_file;
};

struct Suite {
  std::string name;
  std::vector<SuiteRun> runs;
  std::vector<Tolerance> tolerances;
};
/// Every mistake at once, those of the files it names included: runs of the same name, files that
/// do not exist, `set` paths and tolerance metrics that match nothing. `need_baselines`: a missing
/// baseline is a mistake too (a check reports it as a row, --update writes it).
Suite load_suite(const std::string& path, bool need_baselines = false);

struct Violation {
  std::string pointer;   ///< into the run
  std::string baseline;  ///< as text; "(absent)"
  std::string current;
  std::string limit;            ///< what was allowed
  std::optional<double> ratio;  ///< current / baseline, of numbers that are not 0
};

struct CheckRow {
  std::string name;
  std::string error;  ///< the run did not come about, or the baseline is missing
  std::vector<Violation> violations;
  BitsMoved bits = BitsMoved::unknown;  ///< of a run with violations
  std::string first_op;                 ///< whose bits differ first
  double wall_seconds = 0.0;
  std::optional<MovedTensor> moved = {};  ///< of any run, violations or not
  bool hypothetical = false;  ///< the run has ops in formats that its NPU does not declare
  bool passed() const { return error.empty() && violations.empty(); }
};

struct CheckReport {
  std::string suite;
  std::vector<CheckRow> rows;
  bool passed() const;
};

/// update: rewrites the baselines instead; violations then say what changed.
CheckReport check_suite(const Suite& suite, const RunOptions& common, bool update);

/// The deterministic part of a run that a baseline stores.
base::JsonValue baseline_of(const RunResult& run);
std::vector<Violation> compare_to_baseline(const base::JsonValue& baseline,
                                           const base::JsonValue& current,
                                           const std::vector<Tolerance>& tolerances);

std::string junit_of(const CheckReport& report);
std::string markdown_of(const CheckReport& report);
/// bisect: with the first tensor whose bits differ from the baseline's, run by run.
std::string text_of(const CheckReport& report, bool bisect = false);
base::JsonValue json_of(const CheckReport& report);

}  // namespace npusim::sim
