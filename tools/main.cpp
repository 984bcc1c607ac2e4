// SPDX-License-Identifier: Apache-2.0
#include "tools/run_main.h"

int main(int argc, char** argv) {
  return npusim::tools::run_main(argc, argv);
}
