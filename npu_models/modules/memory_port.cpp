// SPDX-License-Identifier: Apache-2.0
#include "npu_models/modules/memory_port.h"

#include <algorithm>

#include "base/error.h"

namespace npusim::npu::model {
namespace {

/// A payload's length is 32 bits wide.
constexpr std::int64_t kLargestPayload = std::int64_t{1} << 30;

}  // namespace

MemoryPort::MemoryPort(const sc_core::sc_module_name& name, double bandwidth_bytes_per_cycle)
    : sc_core::sc_module(name), bandwidth_bytes_per_cycle_(bandwidth_bytes_per_cycle) {
  payload_.set_extension(&service_);
}

MemoryPort::~MemoryPort() {
  payload_.clear_extension(&service_);  // the payload would delete it
}

Transfer MemoryPort::move(bool write, std::uint64_t address, std::int64_t bytes) {
  const Picos requested = now_picos();
  Picos end = requested;
  Picos start = -1;
  for (std::int64_t left = bytes; left > 0;) {
    const std::int64_t part = std::min(left, kLargestPayload);
    payload_.set_command(write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND);
    payload_.set_address(address);
    payload_.set_data_ptr(nullptr);  // timing only
    payload_.set_data_length(static_cast<unsigned>(part));
    payload_.set_streaming_width(static_cast<unsigned>(part));
    payload_.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
    sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
    service_.start = -1;
    socket->b_transport(payload_, delay);
    NPUSIM_CHECK(payload_.is_response_ok(), "the memory refused a transfer");
    end = now_picos() + to_picos(delay);
    if (left == bytes) start = service_.start;
    address += static_cast<std::uint64_t>(part);
    left -= part;
  }
  if (start >= 0) return {start, end};
  return {std::max(requested, end - transfer_picos(bytes, bandwidth_bytes_per_cycle_)), end};
}

}  // namespace npusim::npu::model
