// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <map>

#include "npu_models/channel_order.h"
#include "npu_models/dma_rate.h"
#include "npu_models/input_units.h"
#include "npu_models/npu_file.h"
#include "npu_models/port_limits.h"
#include "tools/describe/describe.h"
#include "tools/describe/page.h"

namespace npusim::tools {
namespace {

std::string geometry(const npu::MacArraySpec& array) {
  return fmt::format("{} rows x {} cols x depth {}, {} array{}", array.rows, array.cols,
                     array.depth, array.arrays, array.arrays == 1 ? "" : "s");
}

std::string stage_text(const precision::Stage& stage) {
  const std::string how = stage.combine == precision::Combine::tree ? "tree" : "chain";
  const std::string what = stage.arithmetic.format.name.empty() ? "the accumulator's format"
                                                                : arithmetic_text(stage.arithmetic);
  return fmt::format("{} of {} in {}", how, stage.terms, what);
}

std::string inner_stages(const std::vector<precision::Stage>& stages) {
  std::vector<std::string> texts;
  for (const precision::Stage& stage : stages) texts.push_back(stage_text(stage));
  return joined(texts, "; then ");
}

std::string accumulator_choices(const npu::AccumulatorSpec& accumulator) {
  std::vector<std::string> texts;
  for (const precision::Format& format : accumulator.choices) {
    const std::int64_t latency = accumulator.latency(format);
    texts.push_back(fmt::format("{} ({} cycle{})", format.name, latency, latency == 1 ? "" : "s"));
  }
  return joined(texts);
}

std::string partial_sums(const npu::MacArraySpec& array) {
  if (array.partial_sums_per_output > 1)
    return fmt::format("steps of K are dealt to {} sums of an output",
                       array.partial_sums_per_output);
  if (array.organisation != "systolic") return {};
  if (array.dataflow == npu::Dataflow::output_stationary) return "stay in their element";
  return array.partial_sums == npu::PartialSums::accumulate_below
             ? fmt::format("added below the array: K is cut every {} terms", array.rows)
             : "re-enter at the top: one chain over all of K";
}

std::string published_peak(const npu::NpuSpec& npu, const npu::InputMode& mode) {
  const auto found = npu.peaks.find(npu::operands_of(mode).name());
  return found == npu.peaks.end() ? "-" : fmt::format("{:.4g}", found->second.tops);
}

std::string unit_names(const npu::InputMode& mode) {
  std::vector<std::string> names;
  for (const precision::MacUnit& unit : mode.units) names.push_back(unit.name);
  return names.empty() ? "as the array" : joined(names);
}

sim::TextTable inputs_table(const npu::NpuSpec& npu) {
  sim::TextTable table;
  table.column("operands");
  for (const char* header : {"MAC/PE/cycle", "MAC/cycle", "peak TOPS", "published"})
    table.column(header, true);
  for (const char* header : {"MAC unit", "why the peaks differ"}) table.column(header);
  for (const npu::InputMode& mode : npu.mac_array.inputs) {
    const std::string name = npu::operands_of(mode).name();
    const double peak = npu::peak_macs_per_cycle(npu, npu::operands_of(mode));
    // Inputs that take several passes may have a fraction of a product a cycle.
    const auto whole = static_cast<std::int64_t>(peak);
    table.row({name, std::to_string(mode.macs_per_pe_per_cycle),
               static_cast<double>(whole) == peak ? grouped(whole) : fmt::format("{:.10g}", peak),
               fmt::format("{:.4g}", 2e-6 * peak * npu.clock_mhz), published_peak(npu, mode),
               unit_names(mode), npu.peaks.count(name) > 0 ? npu.peaks.at(name).explained : ""});
  }
  return table;
}

sim::TextTable operator_table(const npu::OperatorTable& operators) {
  sim::TextTable table;
  for (const char* header : {"op", "group", "support", "formats", "otherwise", "reason"})
    table.column(header);
  for (const auto& [name, entry] : operators.entries)
    table.row({name, entry.group, npu::name_of(entry.support),
               entry.formats.empty() ? "any" : joined(entry.formats),
               entry.formats.empty() ? "" : npu::name_of(entry.otherwise), entry.reason});
  table.row({"(any other)", "", npu::name_of(operators.fallback), "", "", ""});
  return table;
}

sim::TextTable source_table(const base::JsonValue& resolved) {
  sim::TextTable table;
  table.column("fact");
  table.column("source or assumption");
  const base::JsonValue* sources = resolved.find("sources");
  if (sources != nullptr && sources->is_object())
    for (const auto& [fact, source] : sources->members())
      table.row({fact, source.is_string() ? source.string() : base::dump_json(source, -1)});
  return table;
}

sim::TextTable fact_table(const npu::NpuSpec& npu) {
  sim::TextTable table;
  for (const char* header : {"figures", "status", "source", "formula"}) table.column(header);
  for (const npu::Fact& fact : npu.facts)
    table.row({fact.pointer.empty() ? "all others" : fact.pointer, npu::name_of(fact.status),
               fact.source, fact.formula});
  return table;
}

/// "12 published, 3 derived, 9 assumed": how many numbers rest on what.
std::string figures(const npu::NpuSpec& npu, std::vector<std::string>& assumed) {
  std::map<npu::FactStatus, int> counts;
  int settings = 0;
  for (const npu::SourcedValue& value : npu::sourced_values(npu.resolved, npu.facts)) {
    if (!value.value->is_number()) continue;
    if (value.fact == nullptr) {
      ++settings;
      continue;
    }
    ++counts[value.fact->status];
    if (value.fact->status == npu::FactStatus::assumed)
      assumed.push_back(value.pointer.substr(1) + " = " + base::dump_json(*value.value, -1));
  }
  std::vector<std::string> texts;
  for (const auto& [status, count] : counts)
    texts.push_back(fmt::format("{} {}", count, npu::name_of(status)));
  if (settings > 0) texts.push_back(fmt::format("{} without a source", settings));
  return joined(texts);
}

/// What the vector unit approximates, and how far off it is where its values are FP32.
std::string approximations(const npu::VectorUnitSpec& unit) {
  if (!unit.approximations) return {};
  const precision::Rounder fp32({precision::fp32(), precision::Rounding::rne});
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < workloads::kElementaryFunctions; ++i) {
    const auto function = static_cast<workloads::Elementary>(i);
    const workloads::Approximation* found = unit.approximations->find(function);
    if (found == nullptr) continue;
    texts.push_back(fmt::format("{}: {}, error up to {:.2g} in fp32", name_of(function),
                                workloads::describe(*found),
                                workloads::largest_error(*found, fp32)));
  }
  return joined(texts, "; ");
}

std::string scratchpad_text(const npu::ScratchpadSpec& scratchpad) {
  std::string text =
      fmt::format("{}, {} buffers", bytes_text(scratchpad.bytes), scratchpad.buffers);
  if (scratchpad.sharing == npu::ScratchpadSharing::unified) text += ", results included";
  if (scratchpad.sharing == npu::ScratchpadSharing::separate)
    text += fmt::format(
        " ({} streamed, {} stationary, {} results)", bytes_text(scratchpad.streamed_bytes),
        bytes_text(scratchpad.stationary_bytes), bytes_text(scratchpad.result_bytes));
  if (scratchpad.ports)
    text += fmt::format("; {} banks{} of {} ports of {} B/cycle", scratchpad.ports->banks,
                        npu::shares_ports(scratchpad) ? "" : ", each buffer's own,",
                        scratchpad.ports->ports, scratchpad.ports->width_bytes);
  return text;
}

std::string dma_text(const npu::NpuSpec& npu) {
  const npu::DmaSpec& dma = *npu.dma;
  return fmt::format(
      "{} channels each way of {} B/cycle ({:.4g} B/cycle sustained), bursts of {} "
      "B, {}, {} cycles to set up a descriptor",
      dma.channels, dma.width_bytes, npu::DmaRate(dma, npu.dram).bytes_per_cycle(), dma.burst_bytes,
      dma.outstanding == 0 ? "any number outstanding"
                           : fmt::format("{} outstanding", dma.outstanding),
      dma.descriptor_cycles);
}

void add_data_layout(Page& page, const npu::DataLayoutSpec& layout) {
  std::vector<std::string> texts;
  if (layout.im2col == npu::Rearranging::through_dram) texts.push_back("im2col through DRAM");
  if (layout.zero_insertion == npu::ZeroInsertion::through_dram)
    texts.push_back("zeros inserted through DRAM");
  if (layout.zero_insertion == npu::ZeroInsertion::skip) texts.push_back("inserted zeros skipped");
  if (layout.transpose == npu::Transposing::dma) texts.push_back("DMA transposes");
  if (layout.transposed_operands == npu::OperandTransposing::dma)
    texts.push_back("DMA transposes operands");
  if (layout.transposed_operands == npu::OperandTransposing::vector_unit)
    texts.push_back("operands transposed through DRAM");
  if (layout.channel_order) {
    const npu::ChannelOrderSpec& order = *layout.channel_order;
    texts.push_back(fmt::format("images of the array in {}, of the vector unit in {}, else in {}",
                                npu::name_of(order.array), npu::name_of(order.vector_unit),
                                npu::name_of(order.graph)));
  }
  if (!texts.empty()) page.fact("data layout", joined(texts));
}

void add_memory(Page& page, const npu::NpuSpec& npu) {
  page.fact("scratchpad", scratchpad_text(npu.scratchpad));
  const npu::AccumulatorSpec& accumulator = npu.mac_array.accumulator;
  page.fact(
      "accumulators",
      fmt::format("{} an array{}", bytes_text(accumulator.memory_bytes),
                  accumulator.ports == 0 ? "" : fmt::format(", {} ports", accumulator.ports)));
  if (npu.dma) page.fact("DMA", dma_text(npu));
  add_data_layout(page, npu.data_layout);
  page.fact("DRAM", fmt::format("{:.6g} GB/s ({:.4g} B/cycle), {} cycles latency, {}",
                                npu.dram.bandwidth_gb_per_s, npu.dram.bandwidth_bytes_per_cycle,
                                npu.dram.latency_cycles, bytes_text(npu.dram.capacity_bytes)));
}

void add_arithmetic(Page& page, const npu::MacArraySpec& array) {
  page.fact("product", array.product ? arithmetic_text(*array.product) : "exact");
  page.fact("inner stages", inner_stages(array.inner_stages));
  page.fact("accumulator", arithmetic_text(array.accumulator.arithmetic));
  page.fact("accumulator choices", accumulator_choices(array.accumulator));
  page.fact("bias", array.accumulator.bias == precision::BiasEntry::preload
                        ? "preloaded into the accumulator"
                        : "added to the finished sum");
  page.fact("partial sums", partial_sums(array));
}

}  // namespace

std::string describe_npu(const std::string& file) {
  const npu::NpuSpec npu = npu::load_npu(file);
  Page page("NPU " + npu.name, npu.description);
  page.fact("file", file);
  page.fact("clock", fmt::format("{:.6g} MHz", npu.clock_mhz));
  page.fact("default recipe", npu.default_recipe);
  page.fact("MAC array", npu.mac_array.organisation + ", " + geometry(npu.mac_array));
  add_arithmetic(page, npu.mac_array);
  add_memory(page, npu);
  page.fact("vector unit", fmt::format("{} lanes, {}{}", npu.vector_unit.lanes,
                                       arithmetic_text(npu.vector_unit.arithmetic),
                                       npu.vector_unit.fuses_epilogue ? ", fuses epilogues" : ""));
  page.fact("from tables", approximations(npu.vector_unit));
  page.fact("host", npu.host ? fmt::format("link {:.4g} B/cycle, {} cycles each way",
                                           npu.host->link_bytes_per_cycle, npu.host->latency_cycles)
                             : "none");
  page.fact("interconnect", npu.interconnect);
  if (npu.roofline)
    page.fact("roofline",
              "the array's shape is not public: peaks and bandwidths hold, what a "
              "shape costs does not");
  std::vector<std::string> assumed;
  page.fact("figures", figures(npu, assumed));
  page.fact("assumed", joined(assumed, "; "));
  page.table("Operand formats", inputs_table(npu));
  page.table("Operators", operator_table(npu.operators));
  page.table("Sources", fact_table(npu));
  return page.text();
}

std::string describe_mac_unit(const std::string& file) {
  const precision::MacUnit unit = npu::load_mac_unit(file);
  const base::JsonValue document = base::load_config(file, "mac_unit");
  const base::JsonValue* text = document.find("description");
  Page page("MAC unit " + unit.name, text != nullptr ? text->string() : "");
  page.fact("file", file);
  page.fact("operands", unit.a.name + " x " + unit.b.name);
  page.fact("product", unit.product ? arithmetic_text(*unit.product) : "exact");
  page.fact("inner stages", inner_stages({unit.stages.begin(), unit.stages.end() - 1}));
  page.fact("accumulator", "chain in " + arithmetic_text(unit.accumulator()));
  page.fact("terms a step", std::to_string(unit.block_terms()));
  page.table("Sources", source_table(document));
  return page.text();
}

}  // namespace npusim::tools
