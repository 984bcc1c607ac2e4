// SPDX-License-Identifier: Apache-2.0
// Sections scratchpad, dma and data_layout of an NPU file.
#include "npu_models/npu_sections.h"

namespace npusim::npu {
namespace {

constexpr base::IntegerRange kKib{1, std::int64_t{1} << 30};
constexpr base::IntegerRange kBuffers{1, 64};
constexpr base::IntegerRange kBanks{1, 4096};
constexpr base::IntegerRange kPorts{1, 16};
constexpr base::IntegerRange kWidth{1, std::int64_t{1} << 20};
constexpr base::IntegerRange kChannels{1, 1024};
constexpr base::IntegerRange kSetUp{0, std::int64_t{1} << 20};
constexpr base::IntegerRange kChannelBlock{2, 4096};
constexpr base::IntegerRange kOutstanding{1, std::int64_t{1} << 20};

/// One number for all, or one for each part.
void read_capacity(base::ObjectReader& object, ScratchpadSpec& scratchpad) {
  const auto kib = object.required("kib", "KiB, or an object of KiB by part");
  const bool unified = object.boolean("unified", false);
  if (!kib) return;
  if (!kib->json().is_object()) {
    scratchpad.bytes = kib->integer(kKib) * 1024;
    if (unified) scratchpad.sharing = ScratchpadSharing::unified;
    return;
  }
  scratchpad.sharing = ScratchpadSharing::separate;
  base::ObjectReader parts(*kib);
  scratchpad.streamed_bytes = parts.integer("streamed", kKib) * 1024;
  scratchpad.stationary_bytes = parts.integer("stationary", kKib) * 1024;
  scratchpad.result_bytes = parts.integer("results", kKib) * 1024;
  parts.finish();
  scratchpad.bytes =
      scratchpad.streamed_bytes + scratchpad.stationary_bytes + scratchpad.result_bytes;
  if (unified)
    object.error("unified", "illegal-combination", "a scratchpad of separate parts is not unified",
                 "false, or one number of kib");
}

void read_ports(base::ObjectReader& object, ScratchpadSpec& scratchpad) {
  ScratchpadPorts ports;
  ports.banks = object.integer("banks", kBanks, 1);
  ports.ports = object.integer("ports", kPorts, 1);
  ports.banking = object.choice<Banking>(
      "banking", {{"interleaved", Banking::interleaved}, {"by_buffer", Banking::by_buffer}},
      Banking::interleaved);
  if (const auto width = object.optional("width_bytes")) {
    ports.width_bytes = width->integer(kWidth);
    scratchpad.ports = ports;
    return;
  }
  for (const char* key : {"banks", "ports", "banking"})
    if (object.has(key))
      object.error(key, "illegal-combination", "ports without a width limit nothing",
                   "width_bytes, the bytes that a port moves a cycle");
}

ChannelOrderSpec read_channel_order(base::ObjectReader& object) {
  const std::vector<std::pair<std::string, ChannelOrder>> orders = {{"nchw", ChannelOrder::nchw},
                                                                    {"nhwc", ChannelOrder::nhwc},
                                                                    {"nchwc", ChannelOrder::nchwc},
                                                                    {"any", ChannelOrder::any}};
  ChannelOrderSpec spec;
  spec.array = object.choice<ChannelOrder>("array", orders, ChannelOrder::any);
  spec.vector_unit = object.choice<ChannelOrder>("vector_unit", orders, ChannelOrder::any);
  spec.graph = object.choice<ChannelOrder>("graph", {orders[0], orders[1]}, ChannelOrder::nchw);
  spec.block = object.integer("block", kChannelBlock, 16);
  if (object.has("block") && spec.array != ChannelOrder::nchwc &&
      spec.vector_unit != ChannelOrder::nchwc)
    object.error("block", "illegal-combination", "no engine takes blocks of channels",
                 "array or vector_unit nchwc");
  object.finish();
  return spec;
}

}  // namespace

ScratchpadSpec read_scratchpad(base::ObjectReader& object) {
  ScratchpadSpec scratchpad;
  scratchpad.buffers = object.integer("buffers", kBuffers, 2);
  read_capacity(object, scratchpad);
  read_ports(object, scratchpad);
  object.finish();
  return scratchpad;
}

DmaSpec read_dma(base::ObjectReader& object) {
  DmaSpec dma;
  dma.channels = object.integer("channels", kChannels, 1);
  dma.width_bytes = object.integer("width_bytes", kWidth);
  dma.burst_bytes = object.integer("burst_bytes", kWidth, 64);
  dma.descriptor_cycles = object.integer("descriptor_cycles", kSetUp, 0);
  if (const auto outstanding = object.optional("outstanding"))
    dma.outstanding = outstanding->integer(kOutstanding);
  object.finish();
  return dma;
}

DataLayoutSpec read_data_layout(base::ObjectReader& object) {
  const std::vector<std::pair<std::string, Rearranging>> ways = {
      {"implicit", Rearranging::implicit}, {"through_dram", Rearranging::through_dram}};
  DataLayoutSpec layout;
  layout.im2col = object.choice<Rearranging>("im2col", ways, Rearranging::implicit);
  layout.zero_insertion =
      object.choice<ZeroInsertion>("zero_insertion",
                                   {{"implicit", ZeroInsertion::implicit},
                                    {"through_dram", ZeroInsertion::through_dram},
                                    {"skip", ZeroInsertion::skip}},
                                   ZeroInsertion::implicit);
  layout.transpose = object.choice<Transposing>(
      "transpose", {{"vector_unit", Transposing::vector_unit}, {"dma", Transposing::dma}},
      Transposing::vector_unit);
  layout.transposed_operands =
      object.choice<OperandTransposing>("transposed_operands",
                                        {{"free", OperandTransposing::free},
                                         {"vector_unit", OperandTransposing::vector_unit},
                                         {"dma", OperandTransposing::dma}},
                                        OperandTransposing::free);
  if (auto order = object.optional_object("channel_order"))
    layout.channel_order = read_channel_order(*order);
  object.finish();
  return layout;
}

}  // namespace npusim::npu
