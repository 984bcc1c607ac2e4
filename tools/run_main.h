// SPDX-License-Identifier: Apache-2.0
// The whole program but for main(): what the libraries throw becomes messages on stderr and exit
// codes.
#pragma once

namespace npusim::tools {

int run_main(int argc, char** argv);

}  // namespace npusim::tools
