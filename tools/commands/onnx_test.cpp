// SPDX-License-Identifier: Apache-2.0
#include "base/progress.h"
#include "sim/onnx_cases.h"
#include "tools/commands.h"
#include "tools/exit_code.h"
#include "tools/output.h"

namespace npusim::tools {

int onnx_test(const OnnxTestArguments& arguments) {
  const std::vector<std::string> folders = sim::find_onnx_cases(arguments.folders);
  base::Progress progress("running ONNX cases", static_cast<double>(folders.size()),
                          arguments.common.quiet);
  sim::CaseRunOptions options;
  options.jobs = arguments.common.jobs;
  options.seconds = static_cast<unsigned>(arguments.seconds);
  options.finished = [&](std::size_t) { progress.advance(1.0); };
  int counts[3] = {};
  std::string lines;
  for (const sim::CaseResult& result : sim::run_onnx_cases(folders, options)) {
    ++counts[static_cast<int>(result.verdict)];
    lines += std::string(sim::name_of(result.verdict)) + " " + result.name + "\n";
    if (arguments.common.verbose && !result.reason.empty())
      note(result.name + ": " + result.reason);
  }
  lines += "PASS " + std::to_string(counts[0]) + " FAIL " + std::to_string(counts[1]) +
           " UNSUPPORTED " + std::to_string(counts[2]) + "\n";
  print(lines);
  return counts[1] == 0 ? kOk : kCheckFailed;
}

}  // namespace npusim::tools
