// SPDX-License-Identifier: Apache-2.0
// The memory is replaceable: targets of the test's own behind the same sockets.
#include <gtest/gtest.h>
#include <tlm_utils/multi_passthrough_target_socket.h>

#include <set>

#include "base/isolated.h"
#include "npu_models/modules/simulation.h"
#include "npu_models/timing_assembly.h"
#include "tests/npu_models/timing_support.h"

namespace npusim::npu::model {
namespace {

using testing::GemmCase;
using testing::single_gemm;
using testing::tiny_npu;

/// Answers each transfer after a fixed time, or never, by waiting inside the call.
class WaitingMemory : public sc_core::sc_module {
 public:
  tlm_utils::multi_passthrough_target_socket<WaitingMemory> socket{"socket"};
  std::int64_t bytes = 0;
  std::set<std::uint64_t> addresses;

  WaitingMemory(const sc_core::sc_module_name& name, std::int64_t cycles, bool answers)
      : sc_core::sc_module(name), cycles_(cycles), answers_(answers) {
    socket.register_b_transport(this, &WaitingMemory::transport);
  }

 private:
  void transport(int, tlm::tlm_generic_payload& payload, sc_core::sc_time&) {
    if (!answers_) sc_core::wait(never_);
    sc_core::wait(to_time(picos_of(cycles_)));
    bytes += payload.get_data_length();
    addresses.insert(payload.get_address());
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
  }

  std::int64_t cycles_;
  bool answers_;
  sc_core::sc_event never_;
};

std::string run_on(bool answers) {
  GemmCase gemm;
  gemm.m = 8;
  const MappedGraph mapped = single_gemm(gemm);
  Ledger ledger(1, 1);
  std::optional<WaitingMemory> memory;
  const std::int64_t cycles = run_simulation(tiny_npu(), mapped, ledger, [&](NpuTop& top) {
    memory.emplace("memory", 100, answers);
    top.bind_memory(memory->socket);
  });
  return std::to_string(cycles) + " cycles " + std::to_string(memory->bytes) + " bytes " +
         std::to_string(memory->addresses.size()) + " addresses";
}

TEST(Memory, ATargetThatWaitsSetsTheTime) {
  const auto outcome = base::run_isolated(1, 1, [](std::size_t) { return run_on(true); }).front();
  ASSERT_TRUE(outcome.ok) << outcome.error;
  // weights 0..100, tiles 100..200 and 200..300; array 300..314; last result 314..414 (the first
  // result went out at 214)
  EXPECT_EQ(outcome.payload, "414 cycles 160 bytes 5 addresses");
}

TEST(Memory, AStarvedSimulationNamesTheOp) {
  const auto outcome = base::run_isolated(1, 1, [](std::size_t) { return run_on(false); }).front();
  EXPECT_FALSE(outcome.ok);
  EXPECT_NE(outcome.error.find("starved in n0"), std::string::npos) << outcome.error;
}

TEST(Memory, ASecondSimulationInOneProcessIsRefused) {
  const auto outcome = base::run_isolated(1, 1, [](std::size_t) {
                         simulate(tiny_npu(), single_gemm({}));
                         simulate(tiny_npu(), single_gemm({}));
                         return std::string();
                       }).front();
  EXPECT_FALSE(outcome.ok);
  EXPECT_NE(outcome.error.find("one SystemC simulation a process"), std::string::npos)
      << outcome.error;
}

TEST(Memory, SimulationsPrintNothing) {
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  const auto outcome = base::run_isolated(1, 1, [](std::size_t) {
                         return serialize(simulate(tiny_npu(), single_gemm({})));
                       }).front();
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  EXPECT_TRUE(outcome.ok) << outcome.error;
}

}  // namespace
}  // namespace npusim::npu::model
