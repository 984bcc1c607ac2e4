// SPDX-License-Identifier: Apache-2.0
// ONNX backend-test folders: `model.onnx` with `test_data_set_*/{input,output}_*.pb`.
//
// A case computes in the types that its model declares: every floating tensor is rounded to its
// declared format when it is stored, steps inside vector ops are FP32 (FP64 for graphs that declare
// double), products are summed in FP64 and rounded once. Floats must agree within rtol 1e-3 and
// atol 1e-7 (the tolerance of ONNX's own runner), integers and booleans exactly; bfloat16 within
// one unit in the last place, because the generator of ONNX 1.12 truncates it. Test inputs count as
// known constants where an op needs them for its shapes.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "precision/gemm.h"

namespace npusim::sim {

enum class CaseVerdict { pass, fail, unsupported };
const char* name_of(CaseVerdict verdict);  ///< "PASS", ...

struct CaseResult {
  std::string name;  ///< of the folder
  CaseVerdict verdict = CaseVerdict::fail;
  std::string reason;  ///< empty: it passed
};

/// The folders that hold a model.onnx: each of `folders`, or those directly inside it. Sorted by
/// name. Throws base::InputError for a folder without any.
std::vector<std::string> find_onnx_cases(const std::vector<std::string>& folders);

/// In this process; never throws for what is in the folder.
CaseResult run_onnx_case(const std::string& folder, const precision::ParallelFor& parallel);

struct CaseRunOptions {
  int jobs = 0;                               ///< processes and threads together; 0: one per core
  unsigned seconds = 60;                      ///< for each case
  std::function<void(std::size_t)> finished;  ///< number done so far; may be empty
};

/// Each case in a child process: a crash or a case that takes too long is a fail. In order.
std::vector<CaseResult> run_onnx_cases(const std::vector<std::string>& folders,
                                       const CaseRunOptions& options);

}  // namespace npusim::sim
