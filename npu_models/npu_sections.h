// SPDX-License-Identifier: Apache-2.0
// The sections of an NPU file around the array, and the checks across sections. Rates given per
// second become rates per clock cycle here; latencies are rounded up to whole cycles.
#pragma once

#include <optional>

#include "base/object_reader.h"
#include "npu_models/npu_spec.h"

namespace npusim::npu {

ScratchpadSpec read_scratchpad(base::ObjectReader& object);
DmaSpec read_dma(base::ObjectReader& object);
DataLayoutSpec read_data_layout(base::ObjectReader& object);
DramSpec read_dram(base::ObjectReader& object, double clock_mhz);
VectorUnitSpec read_vector_unit(base::ObjectReader& object);
HostSpec read_host(base::ObjectReader& object, double clock_mhz);
EnergySpec read_energy(std::optional<base::ObjectReader> object);
OperatorTable read_operators(base::ObjectReader& object, bool has_host);

/// What only the array and its memories together can get wrong.
void check_array(const NpuSpec& npu, const base::JsonValue& document,
                 base::Diagnostics& diagnostics);
void check_buffers(const NpuSpec& npu, const base::JsonValue& document,
                   base::Diagnostics& diagnostics);
/// Ports, DMA and banks against each other.
void check_memory_paths(const NpuSpec& npu, const base::JsonValue& document,
                        base::Diagnostics& diagnostics);

}  // namespace npusim::npu
