// SPDX-License-Identifier: Apache-2.0
// Exit codes of the command line; documented in the README and stable.
#pragma once

namespace npusim::tools {

inline constexpr int kOk = 0;
inline constexpr int kCheckFailed = 1;
inline constexpr int kUsage = 2;
inline constexpr int kInvalidInput = 3;
inline constexpr int kSimulationFailed = 4;
inline constexpr int kInternal = 5;
inline constexpr int kInterrupted = 130;

}  // namespace npusim::tools
