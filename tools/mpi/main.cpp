// SPDX-License-Identifier: Apache-2.0
// npusim-mpi: what `npusim sweep` becomes under mpirun or srun. Rank 0 is the command line, with
// workers on every rank; the others serve it.
#include <boost/mpi/environment.hpp>

#include "tools/exit_code.h"
#include "tools/mpi/rank_runner.h"
#include "tools/output.h"
#include "tools/point_runner.h"
#include "tools/run_main.h"

int main(int argc, char** argv) {
  using namespace npusim;
  const boost::mpi::environment environment(argc, argv);
  const boost::mpi::communicator world;
  if (world.rank() != 0) {
    try {
      tools::serve(world);
    } catch (const std::exception& error) {
      tools::note("npusim: rank " + std::to_string(world.rank()) + ": " + error.what());
      boost::mpi::environment::abort(tools::kInternal);
    }
    return tools::kOk;
  }
  tools::set_point_runner([&world](const sim::PointSetup& setup, int jobs) {
    return std::make_unique<tools::RankRunner>(world, setup, jobs);
  });
  const int code = tools::run_main(argc, argv);
  tools::stop_others(world);
  return code;
}
