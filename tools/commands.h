// SPDX-License-Identifier: Apache-2.0
// The commands: each does its work, prints, and returns the exit code. Throw base::InputError for
// what the user gave us (exit 3) and UsageError for options that do not go together (exit 2).
#pragma once

#include "tools/options.h"

namespace npusim::tools {

int run(const RunArguments& arguments);
int compare(const RunArguments& arguments);
int coverage(const CoverageArguments& arguments);
int memory(const MemoryArguments& arguments);
int report(const ReportArguments& arguments);
int diff(const DiffArguments& arguments);
int check(const CheckArguments& arguments);
int validate(const ValidateArguments& arguments);
int validate_timing(const ValidateTimingArguments& arguments);
int list(const ListArguments& arguments);
int describe(const DescribeArguments& arguments);
int formats(const FormatsArguments& arguments);
int quantize(const QuantizeArguments& arguments);
int dot(const DotArguments& arguments);
int explain(const ExplainArguments& arguments);
int import(const ImportArguments& arguments);
int train(const TrainArguments& arguments);
int advise(const TrainArguments& arguments);
int sweep(const SweepArguments& arguments);
int merge(const MergeArguments& arguments);
int onnx_test(const OnnxTestArguments& arguments);

}  // namespace npusim::tools
