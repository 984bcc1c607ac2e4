// SPDX-License-Identifier: Apache-2.0
// What stands in memory, as JSON and as tables.
#include <fmt/format.h>

#include <algorithm>

#include "sim/writers/text_table.h"
#include "sim/writers/writers.h"

namespace npusim::sim {
namespace {

using base::JsonValue;
using npu::MemoryKind;

JsonValue json_of(const npu::BytesByKind& bytes) {
  JsonValue object = JsonValue::make_object();
  for (const npu::MemoryKind kind : npu::memory_kinds())
    object.set(npu::name_of(kind), bytes[kind]);
  return object;
}

JsonValue json_of(const ParameterLimit& limit) {
  JsonValue object = JsonValue::make_object();
  object.set("parameter", limit.parameter);
  object.set("largest", limit.largest);
  object.set("at_least", limit.at_least);
  object.set("peak_bytes", limit.peak_bytes);
  object.set("limited_by", limit.limited_by);
  return object;
}

std::string megabytes(std::int64_t bytes) {
  return fmt::format("{:.2f}", static_cast<double>(bytes) / 1e6);
}

/// Of what training keeps for each parameter: weights, master copies, gradients, optimizer states.
std::string bytes_per_parameter(const RunResult& run) {
  const npu::BytesByKind& most = run.memory->footprint.most;
  const std::int64_t kept = most[MemoryKind::weights] + most[MemoryKind::master_weights] +
                            most[MemoryKind::weight_gradients] + most[MemoryKind::optimizer_state];
  return run.parameters == 0 ? "-"
                             : fmt::format("{:.2f}", static_cast<double>(kept) /
                                                         static_cast<double>(run.parameters));
}

/// Parameters that were searched, in the order of their first appearance.
std::vector<std::string> searched(const Result& result) {
  std::vector<std::string> names;
  for (const RunResult& run : result.runs)
    if (run.memory)
      for (const ParameterLimit& limit : run.memory->limits)
        if (std::find(names.begin(), names.end(), limit.parameter) == names.end())
          names.push_back(limit.parameter);
  return names;
}

std::string limit_cell(const RunMemory& memory, const std::string& parameter) {
  for (const ParameterLimit& limit : memory.limits)
    if (limit.parameter == parameter)
      return (limit.at_least ? "at least " : "") + std::to_string(limit.largest);
  return "-";
}

TextTable overview(const Result& result) {
  const std::vector<std::string> parameters = searched(result);
  TextTable table;
  for (const char* text : {"NPU", "workload", "mode", "recipe"}) table.column(text);
  for (const char* number :
       {"weights [MB]", "master [MB]", "optimizer [MB]", "state [MB]", "activations [MB]",
        "gradients [MB]", "workspace [MB]", "bytes/parameter", "peak [MB]", "of memory [%]"})
    table.column(number, true);
  table.column("peak at");
  for (const std::string& name : parameters) table.column("largest " + name, true);
  table.column("status");
  for (const RunResult& run : result.runs) {
    std::vector<std::string> cells = {run.npu, run.workload, run.mode, run.recipe};
    if (run.memory) {
      const npu::MemoryFootprint& memory = run.memory->footprint;
      for (const MemoryKind kind :
           {MemoryKind::weights, MemoryKind::master_weights, MemoryKind::optimizer_state,
            MemoryKind::state, MemoryKind::activations})
        cells.push_back(megabytes(memory.most[kind]));
      cells.push_back(megabytes(memory.most_gradients));
      cells.push_back(megabytes(memory.most[MemoryKind::workspace]));
      cells.push_back(bytes_per_parameter(run));
      cells.push_back(megabytes(memory.peak_bytes));
      cells.push_back(fmt::format("{:.2f}", 100.0 * static_cast<double>(memory.peak_bytes) /
                                                static_cast<double>(run.memory->capacity_bytes)));
      cells.push_back(memory.peak_op);
      for (const std::string& name : parameters) cells.push_back(limit_cell(*run.memory, name));
    } else {
      cells.insert(cells.end(), 11 + parameters.size(), "-");
    }
    cells.push_back(run.error.empty() ? name_of(run.status)
                                      : std::string(name_of(run.status)) + ": " + run.error);
    table.row(std::move(cells));
  }
  return table;
}

/// What the next larger value meets.
TextTable limits(const Result& result) {
  TextTable table;
  for (const char* text : {"NPU", "workload", "recipe", "parameter"}) table.column(text);
  table.column("largest", true);
  table.column("peak [MB]", true);
  table.column("limited by");
  for (const RunResult& run : result.runs)
    if (run.memory)
      for (const ParameterLimit& limit : run.memory->limits)
        table.row({run.npu, run.workload, run.recipe, limit.parameter,
                   std::to_string(limit.largest), megabytes(limit.peak_bytes), limit.limited_by});
  return table;
}

/// In bytes.
TextTable over_time(const Result& result) {
  TextTable table;
  for (const char* text : {"NPU", "workload", "recipe", "op"}) table.column(text);
  for (const MemoryKind kind : npu::memory_kinds()) table.column(npu::name_of(kind), true);
  table.column("total", true);
  for (const RunResult& run : result.runs)
    if (run.memory)
      for (const npu::MemoryMoment& moment : run.memory->over_time) {
        std::vector<std::string> cells = {run.npu, run.workload, run.recipe, moment.op};
        for (const MemoryKind kind : npu::memory_kinds())
          cells.push_back(std::to_string(moment.bytes[kind]));
        cells.push_back(std::to_string(moment.bytes.total()));
        table.row(std::move(cells));
      }
  return table;
}

std::string together(const Result& result, std::string (TextTable::*print)() const) {
  std::string text = (overview(result).*print)();
  for (const TextTable& more : {limits(result), over_time(result)})
    if (more.rows() > 0) text += "\n" + (more.*print)();
  return text;
}

}  // namespace

JsonValue json_of(const npu::MemoryFootprint& m) {
  JsonValue object = JsonValue::make_object();
  using npu::MemoryKind;
  object.set("weight_bytes", m.most[MemoryKind::weights] + m.most[MemoryKind::master_weights]);
  object.set("activation_bytes", m.most[MemoryKind::activations]);
  object.set("gradient_bytes", m.most_gradients);
  object.set("optimizer_bytes", m.most[MemoryKind::optimizer_state]);
  object.set("peak_bytes", m.peak_bytes);
  object.set("peak_op", m.peak_op);
  object.set("alive_at_peak_bytes", m.at_peak.total());
  object.set("most", json_of(m.most));
  object.set("at_peak", json_of(m.at_peak));
  object.set("max_batch", JsonValue::make_null());
  return object;
}

JsonValue json_of(const RunMemory& memory) {
  JsonValue object = json_of(memory.footprint);
  object.set("capacity_bytes", memory.capacity_bytes);
  JsonValue limits = JsonValue::make_array();
  for (const ParameterLimit& limit : memory.limits) {
    if (limit.parameter == "batch") object.set("max_batch", limit.largest);
    limits.push_back(json_of(limit));
  }
  object.set("limits", std::move(limits));
  if (memory.over_time.empty()) return object;
  JsonValue moments = JsonValue::make_array();
  for (const npu::MemoryMoment& moment : memory.over_time) {
    JsonValue row = json_of(moment.bytes);
    row.set("op", moment.op);
    moments.push_back(std::move(row));
  }
  object.set("over_time", std::move(moments));
  return object;
}

std::string memory_table_of(const Result& result) {
  return together(result, &TextTable::aligned);
}

std::string memory_markdown_of(const Result& result) {
  return together(result, &TextTable::markdown);
}

std::string memory_csv_of(const Result& result) {
  const TextTable moments = over_time(result);
  return moments.rows() > 0 ? moments.csv() : overview(result).csv();
}

}  // namespace npusim::sim
