// SPDX-License-Identifier: Apache-2.0
// NPU and MAC-unit files. Everything that can be found wrong before elaboration is found here, all
// mistakes at once: arrays of zero, buffers smaller than one tile, illegal pairs of organisation
// and MAC unit, accumulator formats without a stated latency, a default outside the choices.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/config_file.h"
#include "npu_models/npu_spec.h"

namespace npusim::npu {

/// `unit_overrides` apply to each MAC-unit file of the NPU that has what they name; where none has,
/// that is a mistake.
NpuSpec load_npu(const std::string& path, const std::vector<base::Override>& overrides = {},
                 const std::vector<base::Override>& unit_overrides = {});
/// The MAC-unit files that an NPU's document names: name as it stands there, and path.
std::map<std::string, std::string> unit_files_of(const base::JsonValue& document);
/// The overrides whose path leads somewhere in a MAC-unit file.
std::vector<base::Override> applicable_to_unit(const std::string& path,
                                               const std::vector<base::Override>& overrides);
precision::MacUnit load_mac_unit(const std::string& path,
                                 const std::vector<base::Override>& overrides = {});

/// The MAC unit of the NPU's array for one operand format and accumulator format.
precision::MacUnit unit_of(const NpuSpec& npu, const precision::Format& input,
                           const precision::Format& accumulator);

}  // namespace npusim::npu
