// SPDX-License-Identifier: Apache-2.0
// An .onnx file as a workload, for `--workload X.onnx`. Open dimensions are its parameters:
// `--set workload.parameters.N=8`. Inference only; graph inputs get stand-in values unless the user
// gives some.
#pragma once

#include <string>
#include <vector>

#include "workloads/workload.h"

namespace npusim::workloads::onnx {

bool is_onnx_file(const std::string& path);  ///< by its name: *.onnx

Workload load_onnx(const std::string& path, const std::vector<base::Override>& overrides);

/// Normal floats, integers 0 and 1.
Initializer stand_in_values(ElementType type);

}  // namespace npusim::workloads::onnx
