// SPDX-License-Identifier: Apache-2.0
// The example of npu_models/modules/README.md: a DRAM from elsewhere, which takes one burst a call,
// behind BurstAdapter.
#include <gtest/gtest.h>
#include <tlm_utils/simple_target_socket.h>

#include <algorithm>

#include "base/isolated.h"
#include "npu_models/modules/burst_adapter.h"
#include "npu_models/modules/dram.h"
#include "npu_models/modules/simulation.h"
#include "tests/npu_models/timing_support.h"

namespace npusim::npu::model {
namespace {

using testing::GemmCase;
using testing::single_gemm;
using testing::tiny_npu;

/// Stands for a DRAM simulator: one burst of at most 64 bytes a call, 4 cycles each, answered after
/// 30 cycles more; refuses anything longer.
class ForeignDram : public sc_core::sc_module {
 public:
  tlm_utils::simple_target_socket<ForeignDram> socket{"socket"};
  std::int64_t bursts = 0;

  explicit ForeignDram(const sc_core::sc_module_name& name) : sc_core::sc_module(name) {
    socket.register_b_transport(this, &ForeignDram::transport);
  }

 private:
  void transport(tlm::tlm_generic_payload& burst, sc_core::sc_time& delay) {
    const bool good =
        burst.get_data_length() <= 64 &&
        burst.get_address() / 64 == (burst.get_address() + burst.get_data_length() - 1) / 64;
    burst.set_response_status(good ? tlm::TLM_OK_RESPONSE : tlm::TLM_BURST_ERROR_RESPONSE);
    const Picos start = std::max(now_picos() + to_picos(delay) + picos_of(30), free_at_);
    free_at_ = start + picos_of(4);
    delay = to_time(free_at_ - now_picos());
    ++bursts;
  }

  Picos free_at_ = 0;
};

MappedGraph product() {
  GemmCase gemm;
  gemm.m = 256;
  gemm.n = 32;
  gemm.k = 64;
  gemm.tile_m = 32;
  gemm.tile_n = 32;
  gemm.tile_k = 64;
  return single_gemm(gemm);
}

std::string run_behind_adapter(const MappedGraph& mapped, std::int64_t burst_bytes) {
  Ledger ledger(mapped.ops.size(), 1);
  std::optional<ForeignDram> memory;
  std::optional<BurstAdapter> adapter;
  const std::int64_t cycles = run_simulation(tiny_npu(), mapped, ledger, [&](NpuTop& top) {
    memory.emplace("foreign");
    adapter.emplace("adapter", burst_bytes, to_time(picos_of(4)));
    adapter->memory.bind(memory->socket);
    top.bind_memory(adapter->socket);
  });
  return std::to_string(cycles) + " cycles " + std::to_string(memory->bursts) + " bursts";
}

TEST(ExternalDram, TakesItsBurstsAndSetsTheTime) {
  const MappedGraph mapped = product();
  const auto outcome =
      base::run_isolated(1, 1, [&](std::size_t) { return run_behind_adapter(mapped, 64); }).front();
  ASSERT_TRUE(outcome.ok) << outcome.error;
  // 16 bytes a cycle after 30 cycles is what it does: the NPU's own DRAM says the same.
  NpuSpec npu = tiny_npu();
  npu.dram.latency_cycles = 30;
  const TimingResult own = testing::run(npu, mapped);
  // 256 * 64 + 32 * 64 operands and 256 * 32 results of two bytes
  EXPECT_EQ(outcome.payload.substr(outcome.payload.find("cycles")), "cycles 832 bursts");
  const double cycles = std::stod(outcome.payload);
  EXPECT_NEAR(cycles, static_cast<double>(own.cycles), 0.05 * static_cast<double>(own.cycles));
}

TEST(ExternalDram, ARefusedBurstStopsTheRun) {
  const auto outcome = base::run_isolated(1, 1, [&](std::size_t) {
                         return run_behind_adapter(product(), 128);
                       }).front();
  EXPECT_FALSE(outcome.ok);
  EXPECT_NE(outcome.error.find("the memory refused a transfer"), std::string::npos)
      << outcome.error;
}

}  // namespace
}  // namespace npusim::npu::model
