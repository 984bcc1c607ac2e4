// SPDX-License-Identifier: Apache-2.0
// Prints a Result. Every writer returns text; files are written whole by the caller.
#pragma once

#include <string>

#include "base/json_value.h"
#include "sim/result.h"

namespace npusim::sim {

/// The document of DESIGN: stable member order, units in names, no NaN tokens.
base::JsonValue json_of(const Result& result);
base::JsonValue json_of(const RunResult& run);

/// One row a run, a column a metric, units in the header.
std::string csv_of(const Result& result);

/// The comparison for people: aligned columns for a terminal, or a Markdown table.
std::string table_of(const Result& result);
std::string markdown_of(const Result& result);

/// Op by op of one run: cycles, stalls, traffic, error.
std::string op_table_of(const RunResult& run);

/// NPU × workload coverage counts; details: one line an op that is not native, with the reason.
std::string coverage_table_of(const Result& result, bool details);
std::string coverage_markdown_of(const Result& result, bool details);

}  // namespace npusim::sim
