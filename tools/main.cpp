// SPDX-License-Identifier: Apache-2.0
// Maps what the libraries throw to messages on stderr and exit codes.
#include <exception>
#include <new>

#include "base/error.h"
#include "tools/cli.h"
#include "tools/exit_code.h"
#include "tools/options.h"
#include "tools/output.h"

namespace {

using npusim::tools::note;

void report(const npusim::base::InputError& error) {
  for (const npusim::base::Diagnostic& item : error.diagnostics()) {
    const std::string text = npusim::base::to_string(item);
    note(item.file.empty() ? "npusim: " + text : text);
  }
}

}  // namespace

int main(int argc, char** argv) {
  using namespace npusim;
  try {
    return tools::run_command_line(argc, argv);
  } catch (const tools::UsageError& error) {
    note(std::string("npusim: ") + error.what() + "\nRun with --help for more information.");
    return tools::kUsage;
  } catch (const base::InputError& error) {
    report(error);
    return tools::kInvalidInput;
  } catch (const std::bad_alloc&) {
    note("npusim: not enough memory");
    return tools::kSimulationFailed;
  } catch (const base::InternalError& error) {
    note(std::string("npusim: internal error, please report it: ") + error.what());
    return tools::kInternal;
  } catch (const std::exception& error) {
    note(std::string("npusim: unexpected error, please report it: ") + error.what());
    return tools::kInternal;
  }
}
