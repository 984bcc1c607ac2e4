// SPDX-License-Identifier: Apache-2.0
// The worked example of Jouppi et al., ISCA 2017: a 600 x 600 matrix of LSTM1 takes 9 steps and 18
// us on a 256 x 256 array, where it is bound by loading weight tiles, and 4 steps and 32 us on one
// of 512 x 512. Tiles are loaded whole, so the matrix is filled up to whole tiles; activations stay
// in the unified buffer, so one row of them stands for all.
#include "npu_models/npu_file.h"
#include "sim/catalog.h"
#include "sim/validation/product_run.h"
#include "sim/validation/validation.h"

namespace npusim::sim {
namespace {

npu::NpuSpec tpu_v1(std::int64_t side) {
  npu::NpuSpec npu = npu::load_npu(find_file("npu", "systolic128_bf16"));
  npu.name = "TPU v1";
  npu.clock_mhz = 700.0;
  npu.launch_cycles = 0;
  npu.mac_array.rows = npu.mac_array.cols = side;
  npu.mac_array.inputs.front().format = precision::format_from_name("int8");
  for (auto& [format, cycles] : npu.mac_array.accumulator.latency_cycles) cycles = 1;  // integers
  npu.mac_array.accumulator.memory_bytes = std::int64_t{4} << 20;
  npu.scratchpad = {std::int64_t{24} << 20, 4};  // four weight tiles in the FIFO
  npu.dram.bandwidth_gb_per_s = 34.0;
  npu.dram.bandwidth_bytes_per_cycle = 34.0e9 / 700.0e6;
  npu.dram.latency_cycles = 0;
  npu.vector_unit.cycles_per_element.erase("copy");
  return npu;
}

}  // namespace

ValidationSet tpu_v1_matrix(int jobs) {
  ValidationSet set;
  set.name = "TPU v1, 600x600 matrix";
  set.origin = "silicon (the paper's arithmetic)";
  set.source = "Jouppi et al., ISCA 2017: 34 GB/s of weights, 700 MHz, tiles of 64 KiB";
  set.model = "SystemC tile model";
  set.note = "nothing fitted; a step loads one weight tile";
  set.unit = "us, steps";
  for (const std::int64_t side : {256, 512}) {
    const std::int64_t steps = (600 + side - 1) / side;
    const npu::TileShape filled{1, steps * side, steps * side};
    const npu::NpuSpec npu = tpu_v1(side);
    const double us =
        product_cycles(npu, {{filled, false, npu::TileShape{1, side, side}}}, jobs).front() /
        npu.clock_mhz;
    const std::string name = std::to_string(side) + "x" + std::to_string(side);
    set.points.push_back({name + ", us", side == 256 ? 18.0 : 32.0, us});
    set.points.push_back(
        {name + ", steps", side == 256 ? 9.0 : 4.0, static_cast<double>(steps * steps)});
  }
  set.limits = {{"largest error", set.largest_error(), 0.05, false}};
  return set;
}

}  // namespace npusim::sim
