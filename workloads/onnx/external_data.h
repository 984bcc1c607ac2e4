// SPDX-License-Identifier: Apache-2.0
// Tensor bytes that stand in a file beside the model. The path must be relative and stay below the
// model's folder, symbolic links followed: a model from elsewhere must not read other files.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "workloads/onnx/place.h"

namespace npusim::workloads::onnx {

struct ExternalRange {
  std::string location;
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> length;
};

/// Exactly `expected` bytes from the range.
std::string read_external(const ExternalRange& range, const std::string& folder,
                          std::uint64_t expected, const Place& place);

}  // namespace npusim::workloads::onnx
