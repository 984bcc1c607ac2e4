// SPDX-License-Identifier: Apache-2.0
#include "npu_models/winograd_steps.h"

#include <algorithm>

#include "npu_models/gemm_traffic.h"
#include "npu_models/modules/vector_cost.h"
#include "npu_models/tile_bytes.h"
#include "npu_models/tiling.h"
#include "npu_models/winograd_mapping.h"
#include "workloads/winograd.h"

namespace npusim::npu {
namespace {

using workloads::VectorWork;
using Work = std::vector<VectorWork>;

Work times(const workloads::WinogradOperations& each, std::int64_t count, std::int64_t more = 0) {
  Work work;
  if (each.add * count + more > 0) work.push_back({"add", each.add * count + more});
  if (each.mul * count > 0) work.push_back({"mul", each.mul * count});
  return work;
}

void append(Work& work, Work more) {
  work.insert(work.end(), more.begin(), more.end());
}

std::int64_t cycles_of(const NpuSpec& npu, const Work& work, std::int64_t pieces) {
  if (work.empty() || pieces == 0) return 0;
  const std::int64_t startup = npu.vector_unit.startup_cycles;
  return model::VectorCost(npu.vector_unit, work).cycles(0, 1, 1) + (pieces - 1) * startup;
}

bool on_vector_unit(const GemmMapping& gemm) {
  return gemm.winograd && gemm.winograd->stage == WinogradStage::vector_unit;
}

}  // namespace

const char* name_of(WinogradStage stage) {
  return stage == WinogradStage::vector_unit ? "vector_unit" : "array_edge";
}

std::string name_of(const WinogradForm& form) {
  return "winograd " + output_tile_name(form.outputs);
}

std::vector<VectorWork> input_transforms(const WinogradForm& form, std::int64_t count) {
  return times(workloads::winograd_input_operations(form.outputs), count);
}

std::vector<VectorWork> weight_transforms(const WinogradForm& form, std::int64_t count) {
  return times(workloads::winograd_weight_operations(form.outputs), count);
}

std::vector<VectorWork> output_transforms(const WinogradForm& form, std::int64_t count,
                                          std::int64_t biased) {
  return times(workloads::winograd_output_operations(form.outputs), count, biased);
}

std::int64_t tile_terms(const GemmMapping& gemm, std::int64_t k_tile) {
  std::int64_t terms = 0;
  for (std::int64_t part = 0; part < gemm.split.k; ++part)
    if (const std::int64_t extent = gemm.k_extent(part, k_tile); extent > 0)
      terms += real_terms(gemm, part * gemm.k_part() + k_tile * gemm.tile_k, extent);
  return terms;
}

std::int64_t transformed_inputs(const GemmMapping& gemm, std::int64_t groups, std::int64_t m_count,
                                std::int64_t k_tile) {
  if (!on_vector_unit(gemm)) return 0;
  return gemm.products() * groups * m_count * tile_terms(gemm, k_tile);
}

std::int64_t transformed_weights(const GemmMapping& gemm, std::int64_t groups, std::int64_t n_count,
                                 std::int64_t k_tile) {
  if (!on_vector_unit(gemm) || gemm.winograd->offline_weights) return 0;
  return gemm.products() * groups * n_count * tile_terms(gemm, k_tile);
}

void add_output_transforms(const GemmMapping& gemm, Work& work) {
  if (!on_vector_unit(gemm)) return;
  const WinogradTotals totals = winograd_totals(gemm);
  const Work transforms = output_transforms(*gemm.winograd, totals.outputs, totals.biased);
  work.insert(work.begin(), transforms.begin(), transforms.end());
}

WinogradTotals winograd_totals(const GemmMapping& gemm) {
  const workloads::Contraction& c = gemm.contraction;
  const GemmTileCounts tiles = gemm_tile_counts(gemm);
  const GemmReloads reloads = gemm_reloads(gemm);
  WinogradTotals totals;
  totals.input_loads = tiles.groups * reloads.streamed * tiles.m * tiles.k;
  totals.inputs = c.groups * reloads.streamed * c.m * c.k();
  if (!gemm.winograd->offline_weights) {
    totals.weight_loads = tiles.groups * reloads.stationary * tiles.n * tiles.k;
    totals.weights = c.groups * reloads.stationary * c.n * c.k();
  }
  totals.outputs = c.groups * c.m * c.n;
  if (gemm.winograd->convolution.bias_input >= 0) totals.biased = gemm.results();
  return totals;
}

std::vector<VectorWork> operand_transforms(const NpuSpec& npu, const GemmMapping& gemm) {
  WinogradTotals totals = winograd_totals(gemm);
  if (!on_vector_unit(gemm)) {
    const OperandPasses passes = operand_passes(npu, gemm);
    totals.inputs = passes.streamed;
    if (totals.weights > 0) totals.weights = passes.stationary;
  }
  Work work = input_transforms(*gemm.winograd, totals.inputs);
  append(work, weight_transforms(*gemm.winograd, totals.weights));
  return work;
}

workloads::TensorId weights_of(const MappedGraph& mapped, const MappedOp& op) {
  const workloads::Node& node = mapped.graph.nodes[static_cast<std::size_t>(op.node)];
  return node.inputs[static_cast<std::size_t>(op.gemm->contraction.n_input)];
}

std::int64_t transformed_weight_bytes(const MappedGraph& mapped, const MappedOp& op) {
  if (!op.gemm || !op.gemm->winograd || !op.gemm->winograd->offline_weights) return 0;
  const workloads::Contraction& c = op.gemm->contraction;
  const auto weights = static_cast<std::size_t>(weights_of(mapped, op));
  return op.gemm->products() * c.groups * c.n * c.k() *
         mapped.storage[weights].format.storage_bytes();
}

WinogradCycles winograd_cycles(const NpuSpec& npu, const GemmMapping& gemm) {
  if (!on_vector_unit(gemm)) return {};
  const WinogradTotals totals = winograd_totals(gemm);
  const GemmTileCounts tiles = gemm_tile_counts(gemm);
  return {cycles_of(npu, operand_transforms(npu, gemm), totals.input_loads + totals.weight_loads),
          cycles_of(npu, output_transforms(*gemm.winograd, totals.outputs, totals.biased),
                    tiles.groups * tiles.m * tiles.n)};
}

WinogradCycles winograd_tile_cycles(const NpuSpec& npu, const GemmMapping& gemm) {
  if (!on_vector_unit(gemm)) return {};
  const std::int64_t groups = gemm.split.groups, terms = tile_terms(gemm, 0);
  const std::int64_t m = std::min(gemm.tile_m, gemm.contraction.m);
  const std::int64_t n = std::min(gemm.tile_n, gemm.contraction.n);
  Work work = input_transforms(*gemm.winograd, groups * m * terms);
  const bool weights = !gemm.winograd->offline_weights;
  if (weights) append(work, weight_transforms(*gemm.winograd, groups * n * terms));
  return {cycles_of(npu, work, weights ? 2 : 1),
          cycles_of(npu, output_transforms(*gemm.winograd, groups * m * n, 0), 1)};
}

}  // namespace npusim::npu
