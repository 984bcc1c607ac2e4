// SPDX-License-Identifier: Apache-2.0
// Everything the sequencer drives.
#pragma once

#include "npu_models/modules/accumulator_memory.h"
#include "npu_models/modules/dma.h"
#include "npu_models/modules/host_link.h"
#include "npu_models/modules/mac_array.h"
#include "npu_models/modules/scratchpad.h"
#include "npu_models/modules/vector_unit.h"

namespace npusim::npu::model {

struct Engines {
  Scratchpad scratchpad;
  AccumulatorMemory accumulators;
  Dma load, store;
  MacArray array;
  VectorUnit vector;
  HostLink host;

  Engines(const NpuSpec& npu, Ledger& ledger);
};

inline Engines::Engines(const NpuSpec& npu, Ledger& ledger)
    : scratchpad("scratchpad", npu.scratchpad),
      accumulators("accumulators", npu.mac_array.accumulator),
      load("load", false, npu, scratchpad, ledger),
      store("store", true, npu, scratchpad, ledger),
      array("array", npu.mac_array, accumulators, scratchpad, ledger),
      vector("vector", scratchpad, ledger),
      host("host", npu.host, npu.dram, ledger) {}

}  // namespace npusim::npu::model
