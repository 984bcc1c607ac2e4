// SPDX-License-Identifier: Apache-2.0
// A VCD file of the elements' registers, through sc_trace. Only cycles of the window change what is
// traced, so that the file's size follows from the window and not from the run. Time in the file is
// that of the model: one clock cycle is one nanosecond.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <systemc>

namespace npusim::npu::pe {

struct WaveformOptions {
  std::string path;  ///< ends in .vcd
  std::int64_t begin_cycle = 0, end_cycle = 1000;
};

class Waveform {
 public:
  explicit Waveform(const WaveformOptions& options);
  ~Waveform();
  Waveform(const Waveform&) = delete;
  Waveform& operator=(const Waveform&) = delete;

  /// A value and whether it is there, as NAME and NAME_valid.
  class Probe {
   public:
    void set(double value);
    void clear();

   private:
    friend class Waveform;
    Waveform* waveform_ = nullptr;
    double value_ = 0.0;
    bool valid_ = false;
  };
  /// During elaboration; lives as long as the waveform.
  Probe* probe(const std::string& name);

 private:
  bool in_window() const;

  WaveformOptions options_;
  sc_core::sc_trace_file* file_;
  std::deque<Probe> probes_;
};

/// Sets or clears a probe that may be absent.
inline void show(Waveform::Probe* probe, const double* value) {
  if (probe == nullptr) return;
  if (value != nullptr) {
    probe->set(*value);
  } else {
    probe->clear();
  }
}

}  // namespace npusim::npu::pe
