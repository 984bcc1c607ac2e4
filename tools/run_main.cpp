// SPDX-License-Identifier: Apache-2.0
// Maps what the libraries throw to messages on stderr and exit codes.
#include "tools/run_main.h"

#include <exception>
#include <new>

#include "base/error.h"
#include "tools/cli.h"
#include "tools/exit_code.h"
#include "tools/options.h"
#include "tools/output.h"
#include "tools/point_runner.h"

namespace npusim::tools {
namespace {

void report(const base::InputError& error) {
  for (const base::Diagnostic& item : error.diagnostics()) {
    const std::string text = base::to_string(item);
    note(item.file.empty() ? "npusim: " + text : text);
  }
}

}  // namespace

int run_main(int argc, char** argv) {
  keep_arguments(argv);
  try {
    return run_command_line(argc, argv);
  } catch (const UsageError& error) {
    note(std::string("npusim: ") + error.what() + "\nRun with --help for more information.");
    return kUsage;
  } catch (const base::InputError& error) {
    report(error);
    return kInvalidInput;
  } catch (const std::bad_alloc&) {
    note("npusim: not enough memory");
    return kSimulationFailed;
  } catch (const base::InternalError& error) {
    note(std::string("npusim: internal error, please report it: ") + error.what());
    return kInternal;
  } catch (const std::exception& error) {
    note(std::string("npusim: unexpected error, please report it: ") + error.what());
    return kInternal;
  }
}

}  // namespace npusim::tools
