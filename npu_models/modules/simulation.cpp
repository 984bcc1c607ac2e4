// SPDX-License-Identifier: Apache-2.0
#include "npu_models/modules/simulation.h"

#include <cstdlib>
#include <string>
#include <systemc>

#include "base/error.h"
#include "npu_models/modules/sanitizer_stack.h"

/// The SystemC library refers to it; simulations start through sc_start() instead. It runs only in
/// a program that got the library's main() instead of its own, which must not look like success.
int sc_main(int, char**) {
  return EXIT_FAILURE;
}

namespace npusim::npu::model {
namespace {

void throw_report(const sc_core::sc_report& report, const sc_core::sc_actions&) {
  if (report.get_severity() != sc_core::SC_INFO) throw report;
}

void prepare_kernel() {
  setenv("SYSTEMC_DISABLE_COPYRIGHT_MESSAGE", "1", 1);
  sc_core::sc_report_handler::set_handler(throw_report);
  NPUSIM_CHECK(sc_core::sc_get_status() == sc_core::SC_ELABORATION,
               "one SystemC simulation a process");
  NPUSIM_CHECK(sc_core::sc_get_time_resolution() == sc_core::sc_time(1, sc_core::SC_PS),
               "the model counts picoseconds");
}

}  // namespace

std::int64_t run_simulation(const NpuSpec& npu, const MappedGraph& mapped, Ledger& ledger,
                            const std::function<void(NpuTop&)>& attach) {
  prepare_kernel();
  try {
    NpuTop top("npu", npu, mapped, ledger);
    attach(top);
    sc_core::sc_start();
    restore_sanitizer_stack();
    top.check_finished();
  } catch (const sc_core::sc_report& report) {
    throw base::InternalError(std::string("SystemC: ") + report.what());
  }
  return ledger.finish();
}

}  // namespace npusim::npu::model
