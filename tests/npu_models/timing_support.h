// SPDX-License-Identifier: Apache-2.0
// A small NPU with round numbers, mapped graphs made by hand, and runs in children (one SystemC
// simulation a process).
#pragma once

#include <string>
#include <vector>

#include "npu_models/gemm_traffic.h"
#include "npu_models/mapping.h"
#include "npu_models/npu_spec.h"
#include "npu_models/timing.h"

namespace npusim::npu::testing {

/// 4x4 weight-stationary systolic array with overlap and hiding, fp16 in, fp32 sums of latency 1;
/// DRAM 16 bytes a cycle without latency; 4 vector lanes, one cycle an element, no startup; no
/// launch cost. A tile of m positions that needs one fold takes 4 + m + 6 cycles.
NpuSpec tiny_npu();

/// m x k times k x n, cut in tiles.
struct GemmCase {
  std::int64_t m = 4, n = 4, k = 4;
  std::int64_t tile_m = 4, tile_n = 4, tile_k = 4;
  std::int64_t groups = 1;
  LoopOrder order = LoopOrder::output_resident;
  bool spills = false;
  ArraySplit split{};
};
GemmMapping mapping_of(const GemmCase& gemm);

/// Builds a MappedGraph op by op. Tensors are fp16.
class HandGraph {
 public:
  HandGraph();
  workloads::TensorId tensor(const workloads::Shape& shape);
  /// Inputs are a (streamed), b (stationary) and others (bias). Returns the op's number.
  int matrix(const GemmCase& gemm, workloads::TensorId a, workloads::TensorId b,
             workloads::TensorId out, const std::vector<workloads::TensorId>& others = {});
  /// Fuses one more element-wise node behind the op; the tensor before it stays on the chip.
  void fuse(int op, const std::vector<workloads::TensorId>& others, workloads::TensorId out,
            const workloads::VectorWork& work);
  int vector(const std::vector<workloads::TensorId>& inputs, workloads::TensorId out,
             const std::vector<workloads::VectorWork>& work);
  int host(const std::vector<workloads::TensorId>& inputs, workloads::TensorId out,
           std::int64_t elements);
  int view(workloads::TensorId input, workloads::TensorId out);

  MappedGraph mapped;

 private:
  int add(Engine engine, const std::vector<workloads::TensorId>& inputs, workloads::TensorId out);
};

/// One matrix op on fresh tensors.
MappedGraph single_gemm(const GemmCase& gemm);

/// simulate() in a child; a failure of the child is a std::runtime_error.
TimingResult run(const NpuSpec& npu, const MappedGraph& mapped,
                 const SimulationOptions& options = {});
std::vector<TimingResult> run_all(const NpuSpec& npu, const std::vector<MappedGraph>& graphs,
                                  const SimulationOptions& options = {});

/// Busy and stalls add up to cycles * arrays, in total and over the ops.
void expect_every_cycle_has_a_cause(const TimingResult& result);

}  // namespace npusim::npu::testing
