// SPDX-License-Identifier: Apache-2.0
// An array of elements, each a clocked SystemC module with its own registers. On the rising edge an
// element reads its neighbours' registers and computes; on the falling edge its registers take the
// new values. The edges of the array (what enters in which cycle) and accumulator memory (what
// leaves it) belong to the array. Elements check what they are given: operands of one fold that
// meet, sums that are ready, registers that are free; a schedule that breaks this ends the run with
// an InternalError. Values go through precision's scalar MAC step.
//
// Not modelled: how operands reach the edges from the scratchpad, and control wires.
#pragma once

#include <cstdint>
#include <memory>
#include <systemc>

#include "npu_models/pe/pe_job.h"
#include "npu_models/pe/waveform.h"

namespace npusim::npu::pe {

/// A module whose registers change on falling edges only.
class Clocked : public sc_core::sc_module {
 public:
  sc_core::sc_in<bool> clock{"clock"};

  SC_HAS_PROCESS(Clocked);
  explicit Clocked(const sc_core::sc_module_name& name) : sc_core::sc_module(name) {
    SC_METHOD(evaluate);
    sensitive << clock.pos();
    dont_initialize();
    SC_METHOD(commit);
    sensitive << clock.neg();
    dont_initialize();
  }
  /// Reads registers (its own and its neighbours'), computes the next values of its own.
  virtual void evaluate() = 0;
  virtual void commit() = 0;
};

class PeArray : public Clocked {
 public:
  explicit PeArray(const sc_core::sc_module_name& name) : Clocked(name) {}
  /// Between two clock cycles; the job outlives it.
  virtual void start(const PeJob& job) = 0;
  /// Looked at after a rising edge: everything was complete when that cycle began.
  virtual bool finished() const = 0;
  /// Cycles that have passed since the start.
  std::int64_t now() const { return now_; }

  void commit() override { ++now_; }

 protected:
  void restart() { now_ = 0; }

 private:
  std::int64_t now_ = 0;
};

/// The array of this description; `waveform` may be nullptr. Elements that cannot carry the values
/// are refused by why_not before.
std::unique_ptr<PeArray> make_pe_array(const sc_core::sc_module_name& name,
                                       const MacArraySpec& array, Waveform* waveform);

/// Elements, each a module.
std::int64_t elements_of(const MacArraySpec& array);

}  // namespace npusim::npu::pe
