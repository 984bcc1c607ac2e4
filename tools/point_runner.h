// SPDX-License-Identifier: Apache-2.0
// Who runs the points of a sweep: worker processes of this machine, or those of all ranks of an MPI
// job. MPI is not in this program: under mpirun or srun it hands over to npusim-mpi beside it,
// which is this program again with a runner of its own.
#pragma once

#include <functional>
#include <memory>

#include "sim/sweep/evaluator.h"
#include "sim/sweep/point_runner.h"

namespace npusim::tools {

/// `jobs` 0: as many as suit.
using MakeRunner =
    std::function<std::unique_ptr<sim::PointRunner>(const sim::PointSetup& setup, int jobs)>;

/// Workers of this machine, one per core, unless set_point_runner() said otherwise.
std::unique_ptr<sim::PointRunner> make_point_runner(const sim::PointSetup& setup, int jobs);
void set_point_runner(MakeRunner make);

/// Ranks of the MPI job that this process was started in; 1: none.
int mpi_ranks();

/// Becomes npusim-mpi with these arguments when this is a rank of an MPI job of several and MPI is
/// not there yet. Throws UsageError when this build has no npusim-mpi.
void enter_mpi();
/// What enter_mpi() passes on.
void keep_arguments(char** argv);

}  // namespace npusim::tools
