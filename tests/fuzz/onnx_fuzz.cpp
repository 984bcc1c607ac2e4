// SPDX-License-Identifier: Apache-2.0
// Any bytes as an ONNX model: a graph or a base::InputError, nothing else.
#include <cstddef>
#include <cstdint>

#include "base/error.h"
#include "workloads/onnx/convert.h"
#include "workloads/onnx/read_model.h"
#include "workloads/onnx/write_workload.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace npusim::workloads;
  try {
    const onnx::Model model =
        onnx::parse_model({reinterpret_cast<const char*>(data), size}, "fuzz", "");
    onnx::ConvertOptions options;
    options.allow_unsupported = true;
    const onnx::Converted converted = onnx::convert(model, options);
    onnx::write_workload(converted, "fuzz", "fuzz", "fuzz.safetensors");
  } catch (const npusim::base::InputError&) {
  }
  return 0;
}
