// SPDX-License-Identifier: Apache-2.0
#include "tools/format_argument.h"

#include <stdexcept>

#include "base/error.h"
#include "base/object_reader.h"

namespace npusim::tools {

precision::Format format_argument(const std::string& name) {
  try {
    return precision::format_from_name(name);
  } catch (const std::invalid_argument& error) {
    std::string message = error.what();
    const std::string near = base::did_you_mean(name, precision::named_formats());
    if (!near.empty()) message += " (did you mean \"" + near + "\"?)";
    throw base::InputError(message, "unknown-name");
  }
}

}  // namespace npusim::tools
