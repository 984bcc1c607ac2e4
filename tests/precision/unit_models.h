// SPDX-License-Identifier: Apache-2.0
// A second, independently written model of every shipped MAC unit, from the published descriptions
// of the algorithms: integers and MPFR, none of precision/'s arithmetic. (The random words of
// stochastic units come from counter_random.h, which specifies them.)
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "precision/counter_random.h"

namespace npusim::precision::model {

struct Dot {
  std::vector<double> a, b;
  std::vector<double> a_scales, b_scales;  ///< one a term, where the unit has scales
  double c = 0.0;
  RandomKey key{};
};

/// c + a[0]*b[0] + ... as the unit computes it.
using UnitModel = std::function<double(const Dot& dot)>;

/// By the name of the unit's file.
const std::map<std::string, UnitModel>& unit_models();

}  // namespace npusim::precision::model
