// SPDX-License-Identifier: Apache-2.0
// Successive refinement of a grid around its Pareto front. First every n-th value of each axis of
// numbers is taken (and the last one); then the neighbours of each point of the front, one axis at
// a time, a stride away, as long as that brings new points; then the stride is halved, down to 1.
// Axes that are no numbers (names, true and false) have no order: all their values are taken from
// the start. While no point keeps the constraints, a stride's whole grid is taken.
//
// At the end every point of the front was compared with all its neighbours. A front that hangs
// together only through points that are not on it can be missed, as in any local search.
#pragma once

#include <memory>

#include "sim/sweep/point_source.h"

namespace npusim::sim {

std::unique_ptr<PointSource> make_refinement(const Sweep& sweep);

}  // namespace npusim::sim
