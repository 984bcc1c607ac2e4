// SPDX-License-Identifier: Apache-2.0
// Commands that search a design space.
#include <CLI/CLI.hpp>

#include "sim/sweep/worker.h"
#include "tools/cli/define.h"
#include "tools/commands.h"

namespace npusim::tools {
namespace {

void add_outputs(CLI::App& sub, CommonOptions& common) {
  add_json(sub, common);
  add_csv(sub, common);
  add_markdown(sub, common);
  add_html(sub, common);
  add_quiet(sub, common);
}

}  // namespace

void define_sweep(CLI::App& app, Chosen& chosen) {
  CLI::App& sub = add_command(app, "sweep", "Search a design space; every point is kept in a store",
                              "npusim sweep array_and_bandwidth --csv points.csv\n"
                              "  npusim sweep my_sweep.json --store points.db --resume\n"
                              "  mpirun -n 4 npusim sweep my_sweep.json --store points.db");
  auto arguments = command(sub, chosen, sweep);
  sub.add_option("sweep", arguments->sweep, "Sweep: file or shipped name")->required();
  sub.add_option("--store", arguments->store,
                 "SQLite file that keeps the outcomes (default NAME.sweep.db in this folder)")
      ->type_name("FILE");
  sub.add_flag("--resume", arguments->resume,
               "Go on with the store, if there is one: what has finished is not run again");
  sub.add_option("--shard", arguments->shard,
                 "Only the i-th of n parts of the points; `npusim merge` joins their stores")
      ->type_name("I/N");
  add_jobs(sub, arguments->common);
  add_outputs(sub, arguments->common);
  sub.add_flag("-v,--verbose", arguments->common.verbose,
               "A line on stderr for each point that is safe in the store");
}

void define_merge(CLI::App& app, Chosen& chosen) {
  CLI::App& sub = add_command(app, "merge", "Make one store of those of several shards",
                              "npusim merge part1.db part2.db -o points.db --csv points.csv");
  auto arguments = command(sub, chosen, merge);
  sub.add_option("stores", arguments->stores, "Stores of one sweep")->required()->type_name("FILE");
  sub.add_option("-o,--output", arguments->output, "The new store")->required()->type_name("FILE");
  add_outputs(sub, arguments->common);
}

void define_sweep_worker(CLI::App& app, Chosen& chosen) {
  CLI::App& sub = *app.add_subcommand("sweep-worker", "A worker process of `npusim sweep`");
  sub.group("");
  choose(sub, chosen, [] { return sim::run_sweep_worker(); });
}

}  // namespace npusim::tools
