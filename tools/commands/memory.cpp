// SPDX-License-Identifier: Apache-2.0
#include "sim/memory.h"

#include "sim/writers/writers.h"
#include "tools/commands.h"
#include "tools/exit_code.h"
#include "tools/interrupt.h"
#include "tools/output.h"
#include "tools/request.h"

namespace npusim::tools {

int memory(const MemoryArguments& arguments) {
  const CommonOptions& common = arguments.common;
  OutputFiles files = common.files;
  check_destinations({files.json, files.csv, files.markdown, files.html});
  auto [requests, options] = prepare(arguments.selection, common);
  if (common.print_config) return print_configs(requests, options);
  catch_interrupts();
  const sim::Result result =
      sim::memory_all(requests, options, {arguments.largest, arguments.details});
  if (!stdout_taken(files)) print(sim::memory_table_of(result));
  if (!files.csv.empty()) write_to(files.csv, sim::memory_csv_of(result), common.quiet);
  files.csv.clear();
  write_files(result, files, files.markdown.empty() ? "" : sim::memory_markdown_of(result),
              common.quiet);
  return sim::exit_code_of(result);
}

}  // namespace npusim::tools
