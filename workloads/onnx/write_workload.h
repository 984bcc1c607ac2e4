// SPDX-License-Identifier: Apache-2.0
// A converted model as the two files that `npusim import` leaves: a workload (README.md of
// workloads/) and its initial values as .safetensors. Constants of few elements stand in the
// workload itself.
#pragma once

#include <string>

#include "workloads/onnx/convert.h"

namespace npusim::workloads::onnx {

struct WorkloadFiles {
  std::string workload;     ///< text of the JSON
  std::string safetensors;  ///< bytes; empty when no tensor needs them
};

/// `weights_name` is how the JSON refers to the second file (relative to itself); `source` becomes
/// the workload's "source". Throws base::InputError for an attribute that JSON cannot hold.
WorkloadFiles write_workload(const Converted& model, const std::string& name,
                             const std::string& source, const std::string& weights_name);

}  // namespace npusim::workloads::onnx
