// SPDX-License-Identifier: Apache-2.0
#include "tools/point_runner.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>

#include "sim/sweep/worker_pool.h"
#include "tools/options.h"

namespace npusim::tools {
namespace {

MakeRunner& chosen() {
  static MakeRunner make;
  return make;
}

char** kept_arguments = nullptr;

int positive(const char* variable) {
  const char* text = std::getenv(variable);
  return text == nullptr ? 0 : std::atoi(text);
}

}  // namespace

std::unique_ptr<sim::PointRunner> make_point_runner(const sim::PointSetup& setup, int jobs) {
  if (chosen()) return chosen()(setup, jobs);
  const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  return std::make_unique<sim::WorkerPool>(sim::npusim_executable(), setup,
                                           jobs > 0 ? jobs : cores);
}

void set_point_runner(MakeRunner make) {
  chosen() = std::move(make);
}

int mpi_ranks() {
  // mpirun of Open MPI; launchers that speak PMI (MPICH's mpirun, srun --mpi=pmi2); srun
  // --mpi=pmix, which leaves the number of ranks to Slurm's own variable.
  for (const char* variable : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"})
    if (const int ranks = positive(variable); ranks > 0) return ranks;
  if (std::getenv("PMIX_RANK") != nullptr) return std::max(1, positive("SLURM_NTASKS"));
  return 1;
}

void keep_arguments(char** argv) {
  kept_arguments = argv;
}

void enter_mpi() {
  if (chosen() || mpi_ranks() == 1 || kept_arguments == nullptr) return;
  const std::string program =
      (std::filesystem::path(sim::npusim_executable()).parent_path() / "npusim-mpi").string();
  ::execv(program.c_str(), kept_arguments);
  throw UsageError("this is one of several MPI ranks, but " + program + " cannot be started (" +
                   std::strerror(errno) +
                   "): it is built where Boost.MPI is found; --shard needs no MPI");
}

}  // namespace npusim::tools
