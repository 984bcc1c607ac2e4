// SPDX-License-Identifier: Apache-2.0
// SystemC 2.3.4 tells AddressSanitizer of every switch between thread stacks, but announces the
// main stack as empty when it returns to it: the next exception on it would be reported as an
// overflow.
#pragma once

namespace npusim::npu::model {

/// Tells AddressSanitizer the bounds of the calling (main) stack; nothing in other builds.
void restore_sanitizer_stack();

}  // namespace npusim::npu::model
