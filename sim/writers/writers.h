// SPDX-License-Identifier: Apache-2.0
// Prints a Result. Every writer returns text; files are written whole by the caller.
#pragma once

#include <string>

#include "base/json_value.h"
#include "sim/comparison.h"
#include "sim/result.h"

namespace npusim::sim {

/// The document of DESIGN: stable member order, units in names, no NaN tokens.
base::JsonValue json_of(const Result& result);
/// The member `comparison` of a document of several runs.
base::JsonValue json_of(const Result& result, const ComparisonOptions& options);
base::JsonValue json_of(const RunResult& run);
base::JsonValue json_of(const npu::MemoryFootprint& memory);
base::JsonValue json_of(const RunMemory& memory);
base::JsonValue json_of(const ClusterTiming& timing);

/// What several devices make of a step, in one line without its end.
std::string text_of(const ClusterTiming& timing);

/// One row a run, a column a metric, units in the header.
std::string csv_of(const Result& result, const ComparisonOptions& options = {});

/// The comparison for people: aligned columns for a terminal, or a Markdown table. The best time,
/// energy and error of each workload and mode carry a star.
std::string table_of(const Result& result, const ComparisonOptions& options = {});
std::string markdown_of(const Result& result, const ComparisonOptions& options = {});

/// Op by op of one run: cycles, stalls, traffic, error.
std::string op_table_of(const RunResult& run);
/// Op by op: error beside the distributions of what was read; of sampled products with intervals.
std::string numerics_table_of(const RunResult& run);

/// NPU × workload coverage counts; details: one line an op that is not native, with the reason.
std::string coverage_table_of(const Result& result, bool details);
std::string coverage_markdown_of(const Result& result, bool details);

/// Bytes by kind, the most that is alive at once, limits; over_time: op by op, where it was asked
/// for. CSV has one of the two: op by op when there is any.
std::string memory_table_of(const Result& result);
std::string memory_markdown_of(const Result& result);
std::string memory_csv_of(const Result& result);

}  // namespace npusim::sim
