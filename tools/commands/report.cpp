// SPDX-License-Identifier: Apache-2.0
// report and diff: result files that earlier runs wrote.
#include "sim/report/report.h"

#include "sim/result_diff.h"
#include "sim/result_file.h"
#include "tools/commands.h"
#include "tools/exit_code.h"
#include "tools/output.h"
#include "tools/request.h"

namespace npusim::tools {

int report(const ReportArguments& arguments) {
  const CommonOptions& common = arguments.common;
  check_destinations({common.files.html});
  write_to(common.files.html, sim::html_of(sim::load_for_report(arguments.result)), common.quiet);
  return kOk;
}

int diff(const DiffArguments& arguments) {
  const CommonOptions& common = arguments.common;
  const OutputFiles& files = common.files;
  check_destinations({files.json, files.markdown});
  base::JsonValue before, after;
  base::Diagnostics diagnostics;
  diagnostics.collect([&] { before = sim::load_result(arguments.before); });
  diagnostics.collect([&] { after = sim::load_result(arguments.after); });
  diagnostics.throw_if_any();
  const sim::ResultDifference difference = sim::difference_of(before, after);
  if (!stdout_taken(files)) print(sim::text_of(difference, arguments.details));
  if (!files.json.empty())
    write_to(files.json, base::dump_json(sim::json_of(difference)) + "\n", common.quiet);
  if (!files.markdown.empty())
    write_to(files.markdown, sim::markdown_of(difference, arguments.details), common.quiet);
  return arguments.exit_code && !difference.empty() ? kCheckFailed : kOk;
}

}  // namespace npusim::tools
