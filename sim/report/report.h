// SPDX-License-Identifier: Apache-2.0
// A result as one self-contained HTML page: sortable tables, and charts by Chart.js with their data
// beside them. The result's JSON stands in the page; page/ holds what shows it.
#pragma once

#include <string>

#include "base/json_value.h"

namespace npusim::sim {

/// `result`: the document that json_of(Result) or json_of(TrainResult) writes, or that of a sweep.
std::string html_of(const base::JsonValue& result);

}  // namespace npusim::sim
