// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "precision/block_format.h"
#include "precision/format.h"

namespace npusim::tools {

/// A format the user named. Throws base::InputError with a did-you-mean.
precision::Format format_argument(const std::string& name);
precision::BlockFormat block_format_argument(const std::string& name);

}  // namespace npusim::tools
