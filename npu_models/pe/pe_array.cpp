// SPDX-License-Identifier: Apache-2.0
#include "npu_models/pe/pe_array.h"

#include "base/error.h"
#include "npu_models/pe/block_array.h"
#include "npu_models/pe/output_array.h"
#include "npu_models/pe/stationary_array.h"

namespace npusim::npu::pe {

std::unique_ptr<PeArray> make_pe_array(const sc_core::sc_module_name& name,
                                       const MacArraySpec& array, Waveform* waveform) {
  if (array.organisation == "cube" || array.organisation == "dot_product")
    return std::make_unique<BlockArray>(name, array, waveform);
  NPUSIM_CHECK(array.organisation == "systolic", "no elements of " + array.organisation);
  if (array.dataflow == Dataflow::output_stationary)
    return std::make_unique<OutputArray>(name, array, waveform);
  return std::make_unique<StationaryArray>(name, array, waveform);
}

std::int64_t elements_of(const MacArraySpec& array) {
  return array.organisation == "dot_product" ? array.rows : array.rows * array.cols;
}

}  // namespace npusim::npu::pe
