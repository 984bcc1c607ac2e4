// SPDX-License-Identifier: Apache-2.0
// sweep and merge: searches of design spaces, and their stores.
#include <filesystem>

#include "sim/catalog.h"
#include "sim/sweep/merge.h"
#include "sim/sweep/sweep_report.h"
#include "sim/sweep/sweep_run.h"
#include "tools/commands.h"
#include "tools/exit_code.h"
#include "tools/interrupt.h"
#include "tools/output.h"
#include "tools/point_runner.h"
#include "tools/request.h"
#include "tools/shard.h"

namespace npusim::tools {
namespace {

void check_outputs(const CommonOptions& common, const std::string& store) {
  if (store == kStdout) throw UsageError("a store is a file");
  const OutputFiles& files = common.files;
  check_destinations({files.json, files.csv, files.markdown, files.html, store});
}

sim::SweepStore open_store(const SweepArguments& arguments, const std::string& path,
                           const sim::Sweep& sweep) {
  const sim::StoreHeader header = sim::header_of(sweep);
  std::error_code ignored;
  if (!arguments.resume && std::filesystem::exists(path, ignored))
    throw UsageError("the store " + path +
                     " is there already: --resume goes on with it, --store names another");
  sim::SweepStore store = sim::SweepStore::open(path, header);
  if (store.header().identity != header.identity)
    throw base::InputError("the store " + path + " holds outcomes of " + store.header().identity +
                               ", this is " + header.identity,
                           "store");
  store.set_sweep(header.sweep);
  return store;
}

void write_outputs(const sim::SweepResult& result, const CommonOptions& common) {
  const OutputFiles& files = common.files;
  if (!stdout_taken(files)) print(sim::table_of(result));
  if (!files.json.empty())
    write_to(files.json, base::dump_json(sim::json_of(result)) + "\n", common.quiet);
  if (!files.csv.empty()) write_to(files.csv, sim::csv_of(result), common.quiet);
  if (!files.markdown.empty()) write_to(files.markdown, sim::markdown_of(result), common.quiet);
  if (!files.html.empty()) write_to(files.html, sim::html_of(result), common.quiet);
}

}  // namespace

int sweep(const SweepArguments& arguments) {
  enter_mpi();
  const CommonOptions& common = arguments.common;
  const ShardArgument shard = parse_shard(arguments.shard);
  const std::string file = sim::find_file("sweep", arguments.sweep);
  const std::string path = !arguments.store.empty()
                               ? arguments.store
                               : std::filesystem::path(file).stem().string() + ".sweep.db";
  check_outputs(common, path);
  sim::Sweep sweep = sim::load_sweep(file);
  if (shard.count > 1 && sweep.refine_stride > 0)
    throw UsageError("--shard: refinement needs the outcomes of all points (mpirun shares them)");
  sim::SweepRunOptions options;
  options.shard = {shard.index, shard.count};
  options.quiet = common.quiet;
  options.interrupted = interrupted;
  if (common.verbose)
    options.stored = [](const std::string& hash, sim::PointStatus status) {
      note("stored " + hash + " " + sim::name_of(status));
    };
  sim::SweepStore store = open_store(arguments, path, sweep);
  catch_interrupts();
  const auto workers = make_point_runner(sim::setup_of(sweep), common.jobs);
  const sim::SweepCounts counts = sim::run_points(sweep, options, store, *workers);
  if (!common.quiet)
    note("ran " + std::to_string(counts.ran) + " points, " + std::to_string(counts.reused) +
         " were in " + path);
  const sim::SweepResult result = sim::result_of(std::move(sweep), store, counts.hashes);
  write_outputs(result, common);
  return counts.interrupted ? kInterrupted : sim::exit_code_of(result);
}

int merge(const MergeArguments& arguments) {
  check_outputs(arguments.common, arguments.output);
  sim::merge_stores(arguments.stores, arguments.output);
  const sim::SweepStore store = sim::SweepStore::read(arguments.output);
  const sim::SweepResult result =
      sim::result_of(sim::sweep_of_text(store.header().sweep, arguments.output), store);
  write_outputs(result, arguments.common);
  return sim::exit_code_of(result);
}

}  // namespace npusim::tools
