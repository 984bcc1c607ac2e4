// SPDX-License-Identifier: Apache-2.0
// One function a command: declares its options on a plain struct, which goes to the command when
// parsing is over.
#pragma once

#include "tools/cli/common.h"

namespace npusim::tools {

// runs.cpp
void define_run(CLI::App& app, Chosen& chosen);
void define_compare(CLI::App& app, Chosen& chosen);
void define_coverage(CLI::App& app, Chosen& chosen);
void define_sensitivity(CLI::App& app, Chosen& chosen);
void define_memory(CLI::App& app, Chosen& chosen);
void define_train(CLI::App& app, Chosen& chosen);
void define_advise(CLI::App& app, Chosen& chosen);
// sweeps.cpp
void define_sweep(CLI::App& app, Chosen& chosen);
void define_merge(CLI::App& app, Chosen& chosen);
void define_sweep_worker(CLI::App& app, Chosen& chosen);
// files.cpp
void define_report(CLI::App& app, Chosen& chosen);
void define_diff(CLI::App& app, Chosen& chosen);
void define_check(CLI::App& app, Chosen& chosen);
void define_validate(CLI::App& app, Chosen& chosen);
void define_validate_timing(CLI::App& app, Chosen& chosen);
void define_list(CLI::App& app, Chosen& chosen);
void define_describe(CLI::App& app, Chosen& chosen);
void define_import(CLI::App& app, Chosen& chosen);
void define_onnx_test(CLI::App& app, Chosen& chosen);
// arithmetic.cpp
void define_formats(CLI::App& app, Chosen& chosen);
void define_quantize(CLI::App& app, Chosen& chosen);
void define_dot(CLI::App& app, Chosen& chosen);
void define_explain(CLI::App& app, Chosen& chosen);

}  // namespace npusim::tools
