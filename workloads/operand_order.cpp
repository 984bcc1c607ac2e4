// SPDX-License-Identifier: Apache-2.0
#include "workloads/operand_order.h"

#include <set>

namespace npusim::workloads {

bool convolves(const std::string& op) {
  static const std::set<std::string> kOps = {
      "Conv",          "ConvDataGradient",   "ConvInteger",
      "ConvTranspose", "ConvTransposePhase", "ConvWeightGradient",
      "QLinearConv"};
  return kOps.count(op) > 0;
}

bool names_n_side_first(const std::string& op) {
  return convolves(op);
}

}  // namespace npusim::workloads
