// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "npu_models/attention_gradient_steps.h"
#include "npu_models/attention_steps.h"
#include "npu_models/gemm_traffic.h"
#include "npu_models/input_units.h"
#include "npu_models/operand_transposes.h"
#include "npu_models/rearrangement.h"
#include "npu_models/tiling.h"
#include "sim/explain_mapping.h"
#include "sim/writers/text_table.h"

namespace npusim::sim {
namespace {

npu::GemmElementBytes element_bytes_of(const npu::MappedGraph& mapped, const npu::MappedOp& op) {
  const auto bytes = [&](workloads::TensorId id) {
    return static_cast<std::int64_t>(
        mapped.storage[static_cast<std::size_t>(id)].format.storage_bytes());
  };
  const workloads::Node& node = mapped.graph.nodes[static_cast<std::size_t>(op.node)];
  const int last = op.epilogue.empty() ? op.node : op.epilogue.back();
  const workloads::Contraction& c = op.gemm->contraction;
  return {bytes(node.inputs[static_cast<std::size_t>(c.m_input)]),
          bytes(node.inputs[static_cast<std::size_t>(c.n_input)]),
          bytes(mapped.graph.nodes[static_cast<std::size_t>(last)].outputs.front())};
}

std::string fused_of(const npu::MappedGraph& mapped, const npu::MappedOp& op) {
  std::string text;
  for (const int node : op.epilogue)
    text += (text.empty() ? "" : " ") + mapped.graph.nodes[static_cast<std::size_t>(node)].op;
  return text.empty() ? "-" : text;
}

std::string origin_of(const npu::MappedOp& op) {
  if (!op.not_pinned.empty()) return "search: " + op.not_pinned;
  switch (op.mapping_origin) {
    case npu::MappingOrigin::search:
      return op.not_winograd.empty() ? "search" : "search; not Winograd: " + op.not_winograd;
    case npu::MappingOrigin::file:
      return "file";
    case npu::MappingOrigin::reference:
      return "reference";
  }
  return "";
}

std::string origin_of(const npu::MappedGraph& mapped, const npu::MappedOp& op) {
  return origin_of(op) + (mapped.stand_ins.count(op.node) != 0 ? " (hypothetical)" : "");
}

struct Roof {
  std::string macs_per_byte, name;
};

Roof roof_of(const npu::NpuSpec& npu, const npu::MappedOp& op, std::int64_t bytes) {
  const double per_byte = static_cast<double>(op.macs) / static_cast<double>(bytes);
  const double ridge = npu::peak_macs_per_cycle(npu, op) / npu.dram.bandwidth_bytes_per_cycle;
  return {fmt::format("{:.1f}", per_byte), per_byte >= ridge ? "compute" : "memory"};
}

/// By Winograd with the output tile; groups then count the products of all points.
std::string loop_order_of(const npu::GemmMapping& gemm) {
  const std::string order = npu::name_of(gemm.loop_order);
  if (!gemm.winograd) return order;
  return fmt::format("winograd_{0}x{0}, {1}", gemm.winograd->outputs, order);
}

/// "im2col", "A B transposed by DMA", "nhwc"; "-": operands are as DRAM has them.
std::string form_of(const npu::MappedGraph& mapped, const npu::MappedOp& op) {
  if (op.rearrangement) return npu::name_of(op.rearrangement->kind);
  if (!op.transposed.empty())
    return npu::describe(op.transposed) +
           (op.transposed.front().by_dma ? " transposed by DMA" : " transposed through DRAM");
  if (!op.changes_order) return "-";
  const workloads::Node& node = mapped.graph.nodes[static_cast<std::size_t>(op.node)];
  return workloads::NodeView(mapped.graph, node).text("order");
}

/// What the table has columns for.
struct Columns {
  bool ports = false, forms = false;
};

/// A change of the order of channels: no product.
std::vector<std::string> order_row(const npu::MappedGraph& mapped, const npu::MappedOp& op,
                                   const Columns& columns) {
  const workloads::Node& node = mapped.graph.nodes[static_cast<std::size_t>(op.node)];
  const auto bytes = [&](workloads::TensorId id) {
    return mapped.elements(id) *
           mapped.storage[static_cast<std::size_t>(id)].format.storage_bytes();
  };
  const std::int64_t moved = bytes(node.inputs[0]) + bytes(node.outputs[0]);
  std::vector<std::string> cells = {node.name, node.op, "-", "-", "-", "-", "-", "-"};
  if (columns.ports) cells.insert(cells.end(), {"-", "-"});
  cells.insert(cells.end(), {fmt::format("{:.1f}", static_cast<double>(moved) / 1e3), "0.0", "0.0",
                             "memory", "-", "-", form_of(mapped, op)});
  return cells;
}

/// Both products of attention as one op: k is the depth of a head and of its values together.
/// Cycles behind accumulator ports are part of the array's; those of the scratchpad's ports show
/// in the simulation only.
std::vector<std::string> attention_row(const npu::NpuSpec& npu, const npu::MappedGraph& mapped,
                                       const npu::MappedOp& op, const Columns& columns) {
  const npu::AttentionMapping& attention = *op.attention;
  const workloads::AttentionShape& s = attention.blocks.shape;
  const std::int64_t depths = s.depth + s.value_depth;
  const npu::AttentionTotals totals = npu::attention_totals(npu, attention);
  const Roof roof = roof_of(npu, op, totals.total_bytes());
  const workloads::Node& node = mapped.graph.nodes[static_cast<std::size_t>(op.node)];
  std::vector<std::string> cells = {
      node.name,
      node.op,
      fmt::format("{} x {} x {} x {}", s.groups(), s.group_rows(), s.columns, depths),
      fmt::format("{} x {} x {}", attention.blocks.queries, attention.blocks.keys, depths),
      npu::describe(attention.scores.split),
      "online_softmax",
      std::to_string(2 * totals.steps),
      std::to_string(totals.array_cycles)};
  if (columns.ports) cells.insert(cells.end(), {"-", "-"});
  cells.insert(cells.end(),
               {fmt::format("{:.1f}", static_cast<double>(totals.total_bytes()) / 1e3), "0.0",
                roof.macs_per_byte, roof.name, "Softmax", origin_of(mapped, op)});
  if (columns.forms) cells.push_back(form_of(mapped, op));
  return cells;
}

/// All five products of its backward pass.
std::vector<std::string> gradient_row(const npu::NpuSpec& npu, const npu::MappedGraph& mapped,
                                      const npu::MappedOp& op, const Columns& columns) {
  const npu::AttentionGradientMapping& gradient = *op.attention_gradient;
  const workloads::AttentionShape& s = gradient.blocks.shape;
  const std::int64_t depths = 3 * s.depth + 2 * s.value_depth;
  const npu::GradientTotals totals = npu::gradient_totals(npu, gradient);
  const Roof roof = roof_of(npu, op, totals.total_bytes());
  const workloads::Node& node = mapped.graph.nodes[static_cast<std::size_t>(op.node)];
  const auto tiles = static_cast<std::int64_t>(npu::kGradientProducts) * totals.steps;
  std::vector<std::string> cells = {
      node.name,
      node.op,
      fmt::format("{} x {} x {} x {}", s.groups(), s.group_rows(), s.columns, depths),
      fmt::format("{} x {} x {}", gradient.blocks.queries, gradient.blocks.keys, depths),
      npu::describe(gradient.scores.split),
      "scores_again",
      std::to_string(tiles),
      std::to_string(totals.array_cycles)};
  if (columns.ports) cells.insert(cells.end(), {"-", "-"});
  cells.insert(cells.end(),
               {fmt::format("{:.1f}", static_cast<double>(totals.total_bytes()) / 1e3),
                fmt::format("{:.1f}", static_cast<double>(totals.spilled_bytes) / 1e3),
                roof.macs_per_byte, roof.name, "SoftmaxGradient", origin_of(mapped, op)});
  if (columns.forms) cells.push_back(form_of(mapped, op));
  return cells;
}

}  // namespace

std::string mapping_table_of(const npu::NpuSpec& npu, const npu::MappedGraph& mapped,
                             const std::vector<npu::AttentionInParts>& in_parts) {
  TextTable table;
  for (const char* text :
       {"node", "op", "groups x m x n x k", "tile m x n x k", "split g x m x n x k", "loop order"})
    table.column(text);
  Columns columns;
  columns.ports = npu.scratchpad.ports || npu.mac_array.accumulator.ports > 0;
  for (const npu::MappedOp& op : mapped.ops)
    columns.forms = columns.forms || form_of(mapped, op) != "-";
  for (const char* number : {"tiles", "array cycles"}) table.column(number, true);
  if (columns.ports)
    for (const char* number : {"accumulator ports", "scratchpad ports"}) table.column(number, true);
  for (const char* number : {"DRAM [kB]", "spilled [kB]", "MAC/byte"}) table.column(number, true);
  for (const char* text : {"roof", "fused", "mapped by"}) table.column(text);
  if (columns.forms) table.column("other form");
  for (const npu::MappedOp& op : mapped.ops) {
    if (op.attention) table.row(attention_row(npu, mapped, op, columns));
    if (op.attention_gradient) table.row(gradient_row(npu, mapped, op, columns));
    if (op.changes_order) table.row(order_row(mapped, op, columns));
    if (!op.gemm) continue;
    const npu::GemmMapping& gemm = *op.gemm;
    const workloads::Contraction& c = gemm.contraction;
    const npu::GemmTraffic traffic = npu::gemm_traffic(gemm, element_bytes_of(mapped, op));
    const auto bytes = static_cast<double>(traffic.total_bytes());
    const Roof roof = roof_of(npu, op, traffic.total_bytes());
    const workloads::Node& node = mapped.graph.nodes[static_cast<std::size_t>(op.node)];
    const npu::ArrayCycles cycles = npu::array_cycles_by_cause(npu, gemm);
    std::vector<std::string> cells = {
        node.name,
        node.op,
        fmt::format("{} x {} x {} x {}", gemm.products() * c.groups, c.m, c.n, c.k()),
        fmt::format("{} x {} x {}", gemm.tile_m, gemm.tile_n, gemm.tile_k),
        npu::describe(gemm.split),
        loop_order_of(gemm),
        std::to_string(npu::gemm_tile_counts(gemm).total()),
        std::to_string(cycles.total())};
    if (columns.ports) {
      cells.push_back(std::to_string(cycles.accumulator_ports));
      cells.push_back(std::to_string(cycles.scratchpad_ports));
    }
    const std::int64_t spilled = traffic.spill_write_bytes + traffic.spill_read_bytes;
    for (std::string& cell : std::vector<std::string>{
             fmt::format("{:.1f}", bytes / 1e3),
             fmt::format("{:.1f}", static_cast<double>(spilled) / 1e3), roof.macs_per_byte,
             roof.name, fused_of(mapped, op), origin_of(mapped, op)})
      cells.push_back(std::move(cell));
    if (columns.forms) cells.push_back(form_of(mapped, op));
    table.row(std::move(cells));
  }
  std::string text = table.aligned();
  for (const npu::AttentionInParts& attention : in_parts)
    text += attention.node + " stays in parts, its backward pass too: " + attention.reason + "\n";
  return text;
}

}  // namespace npusim::sim
