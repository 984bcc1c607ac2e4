// SPDX-License-Identifier: Apache-2.0
#include "sim/validation/product_run.h"

#include <algorithm>
#include <string>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/isolated.h"
#include "npu_models/mapping.h"
#include "npu_models/scratchpad_room.h"
#include "npu_models/timing.h"

namespace npusim::sim {
namespace {

workloads::TensorId add_tensor(npu::MappedGraph& mapped, const std::string& name,
                               const workloads::Shape& shape, const precision::Format& format) {
  workloads::TensorInfo info;
  info.name = name;
  info.shape = shape;
  mapped.graph.tensors.push_back(info);
  mapped.storage.push_back({format, precision::Rounding::rne});
  mapped.on_chip.push_back(false);
  return static_cast<workloads::TensorId>(mapped.graph.tensors.size() - 1);
}

int add_node(npu::MappedGraph& mapped, const std::string& op,
             const std::vector<workloads::TensorId>& inputs, workloads::TensorId output) {
  workloads::Node node;
  node.name = op;
  node.op = op;
  node.inputs = inputs;
  node.outputs = {output};
  mapped.graph.nodes.push_back(node);
  return static_cast<int>(mapped.graph.nodes.size() - 1);
}

bool fits_as_one_tile(const npu::NpuSpec& npu, const npu::TileShape& p, std::int64_t element_bytes,
                      std::int64_t sum_bytes) {
  const npu::TileBytes tile{p.m * p.k * element_bytes, p.n * p.k * element_bytes,
                            p.m * p.n * element_bytes};
  const std::int64_t share = (p.m + npu.mac_array.arrays - 1) / npu.mac_array.arrays;
  return npu::fits_scratchpad(npu.scratchpad, tile) &&
         share * p.n * sum_bytes <= npu.mac_array.accumulator.memory_bytes / 2;
}

/// The arrays share positions.
void cut(npu::GemmMapping& gemm, const npu::TileShape& tile, std::int64_t arrays) {
  gemm.split = {1, std::min(arrays, tile.m), 1, 1};
  gemm.tile_m = tile.m;
  gemm.tile_n = tile.n;
  gemm.tile_k = tile.k;
  gemm.loop_order = npu::LoopOrder::output_resident;
  gemm.spills = false;
}

npu::MappedGraph product_graph(const npu::NpuSpec& npu, const Product& product) {
  const precision::Format& format = npu.mac_array.inputs.front().format;
  const precision::Format& sums = npu.mac_array.accumulator.arithmetic.format;
  npu::TileShape p = product.shape;
  if (product.either_side && p.m < p.n) std::swap(p.m, p.n);
  npu::MappedGraph mapped;
  const auto a = add_tensor(mapped, "a", {p.m, p.k}, format);
  const auto b = add_tensor(mapped, "b", {p.n, p.k}, format);
  const auto sum = add_tensor(mapped, "sums", {p.m, p.n}, sums);
  const auto out = add_tensor(mapped, "out", {p.m, p.n}, format);

  npu::MappedOp op;
  op.node = add_node(mapped, "MatMul", {a, b}, sum);
  op.engine = npu::Engine::matrix;
  op.origin = "MatMul";
  workloads::Contraction contraction;
  contraction.m = p.m;
  contraction.n = p.n;
  contraction.dims = {{"K", p.k}};
  op.gemm = npu::map_gemm(npu, contraction, format, sums, format.storage_bytes());
  if (product.tile) {
    cut(*op.gemm, *product.tile, npu.mac_array.arrays);
  } else if (fits_as_one_tile(npu, p, format.storage_bytes(), op.gemm->accumulator_bytes)) {
    cut(*op.gemm, {p.m, p.n, op.gemm->ordered_k}, npu.mac_array.arrays);
  }
  op.macs = contraction.macs();
  mapped.on_chip[static_cast<std::size_t>(sum)] = true;
  op.epilogue.push_back(add_node(mapped, "Cast", {sum}, out));
  npu::add_combination(*op.gemm, op.vector_work);
  if (npu.vector_unit.cycles_per_element.count("copy") != 0)
    op.vector_work.push_back({"copy", p.m * p.n});
  mapped.ops.push_back(op);
  mapped.graph.inputs = {a, b};
  mapped.graph.outputs = {out};
  return mapped;
}

}  // namespace

std::vector<double> product_cycles(const npu::NpuSpec& npu, const std::vector<Product>& products,
                                   int jobs) {
  const int parallel =
      jobs > 0 ? jobs : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  const std::vector<base::IsolatedOutcome> outcomes =
      base::run_isolated(products.size(), parallel, [&](std::size_t i) {
        const npu::MappedGraph mapped = product_graph(npu, products[i]);
        return std::to_string(npu::simulate(npu, mapped).cycles);
      });
  std::vector<double> cycles;
  for (const base::IsolatedOutcome& outcome : outcomes) {
    NPUSIM_CHECK(outcome.ok, "a product's simulation failed: " + outcome.error);
    cycles.push_back(std::stod(outcome.payload));
  }
  return cycles;
}

}  // namespace npusim::sim
