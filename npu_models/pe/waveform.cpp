// SPDX-License-Identifier: Apache-2.0
#include "npu_models/pe/waveform.h"

#include "base/error.h"
#include "npu_models/modules/sim_time.h"

namespace npusim::npu::pe {
namespace {

constexpr const char* kSuffix = ".vcd";

/// SystemC adds the suffix itself.
std::string stem(const std::string& path) {
  const std::size_t at = path.rfind(kSuffix);
  NPUSIM_CHECK(at != std::string::npos && at + 4 == path.size(), "a waveform's name ends in .vcd");
  return path.substr(0, at);
}

}  // namespace

Waveform::Waveform(const WaveformOptions& options)
    : options_(options), file_(sc_core::sc_create_vcd_trace_file(stem(options.path).c_str())) {
  file_->set_time_unit(100, sc_core::SC_PS);
}

Waveform::~Waveform() {
  sc_core::sc_close_vcd_trace_file(file_);
}

Waveform::Probe* Waveform::probe(const std::string& name) {
  Probe& probe = probes_.emplace_back();
  probe.waveform_ = this;
  sc_core::sc_trace(file_, probe.value_, name);
  sc_core::sc_trace(file_, probe.valid_, name + "_valid");
  return &probe;
}

bool Waveform::in_window() const {
  const model::Cycles now = model::floor_cycle(model::now_picos());
  return now >= options_.begin_cycle && now < options_.end_cycle;
}

void Waveform::Probe::set(double value) {
  if (!waveform_->in_window()) return;
  value_ = value;
  valid_ = true;
}

void Waveform::Probe::clear() {
  if (waveform_->in_window()) valid_ = false;
}

}  // namespace npusim::npu::pe
