// SPDX-License-Identifier: Apache-2.0
// A TimingResult as JSON text and back: what goes through the pipe from a worker to its parent.
#include "base/json_value.h"
#include "npu_models/timing.h"

namespace npusim::npu {
namespace {

using base::JsonValue;
using Counts = std::map<std::string, std::int64_t>;

// One list of the members for both directions.
template <class Archive, class Result>
void visit_op(Archive& a, Result& op) {
  a("node", op.node), a("op", op.op), a("engine", op.engine), a("phase", op.phase);
  a("start_cycle", op.start_cycle), a("end_cycle", op.end_cycle);
  a("macs", op.macs), a("array_busy_cycles", op.array_busy_cycles);
  a("winograd", op.winograd), a("convolution_macs", op.convolution_macs);
  a("utilization", op.utilization), a("stall_cycles", op.stall_cycles);
  a("dram_read_bytes", op.dram_read_bytes), a("dram_write_bytes", op.dram_write_bytes);
  a("spill_bytes", op.spill_bytes), a("sram_bytes", op.sram_bytes);
  a("vector_cycles", op.vector_cycles), a("rearranging", op.rearranging), a("tiles", op.tiles);
  a("energy_mj", op.energy_mj), a("bound", op.bound);
}

template <class Archive, class Result>
void visit_totals(Archive& a, Result& r) {
  a("cycles", r.cycles), a("macs", r.macs), a("arrays", r.arrays);
  a("busy_cycles", r.busy_cycles), a("stall_cycles", r.stall_cycles);
  a("dram_bytes", r.dram_bytes), a("sram_bytes", r.sram_bytes);
  a("dma_busy_cycles", r.dma_busy_cycles), a("vector_busy_cycles", r.vector_busy_cycles);
  a("host_busy_cycles", r.host_busy_cycles), a("transactions", r.transactions);
  a("peak_macs_per_cycle", r.peak_macs_per_cycle);
  a("mac_mj", r.energy.mac_mj), a("vector_mj", r.energy.vector_mj);
  a("sram_mj", r.energy.sram_mj), a("dram_mj", r.energy.dram_mj);
  a("static_mj", r.energy.static_mj), a("bound", r.bound);
  a("layers_apart", r.layers_apart);
  a("dram_events", r.dram_events), a("dma_events", r.dma_events);
}

class Writer {
 public:
  explicit Writer(JsonValue& object) : object_(object) {}
  void operator()(const char* key, const std::string& value) { object_.set(key, value); }
  void operator()(const char* key, std::int64_t value) { object_.set(key, value); }
  void operator()(const char* key, double value) { object_.set(key, value); }
  void operator()(const char* key, const Counts& counts) {
    JsonValue& member = object_.set(key, JsonValue::make_object());
    for (const auto& [name, count] : counts) member.set(name, count);
  }

 private:
  JsonValue& object_;
};

class Reader {
 public:
  explicit Reader(const JsonValue& object) : object_(object) {}
  void operator()(const char* key, std::string& value) { value = member(key).string(); }
  void operator()(const char* key, std::int64_t& value) { value = member(key).integer(); }
  void operator()(const char* key, double& value) { value = member(key).number(); }
  void operator()(const char* key, Counts& counts) {
    for (const auto& [name, count] : member(key).members()) counts[name] = count.integer();
  }

 private:
  const JsonValue& member(const char* key) const {
    const JsonValue* found = object_.find(key);
    NPUSIM_CHECK(found != nullptr, std::string("a timing text has ") + key);
    return *found;
  }
  const JsonValue& object_;
};

}  // namespace

std::string serialize(const TimingResult& result) {
  JsonValue root = JsonValue::make_object();
  Writer totals(root);
  visit_totals(totals, result);
  JsonValue ops = JsonValue::make_array();
  for (const OpTiming& op : result.ops) {
    JsonValue row = JsonValue::make_object();
    Writer writer(row);
    visit_op(writer, op);
    ops.push_back(std::move(row));
  }
  root.set("ops", std::move(ops));
  return dump_json(root, -1);
}

TimingResult parse_timing(const std::string& text) {
  const JsonValue root = base::parse_json(text, "timing");
  TimingResult result;
  Reader totals(root);
  visit_totals(totals, result);
  const JsonValue* ops = root.find("ops");
  NPUSIM_CHECK(ops != nullptr, "a timing text has ops");
  for (const JsonValue& row : ops->items()) {
    Reader reader(row);
    visit_op(reader, result.ops.emplace_back());
  }
  return result;
}

}  // namespace npusim::npu
