// SPDX-License-Identifier: Apache-2.0
// One `--set` applied to a document that is read already.
#pragma once

#include "base/config_file.h"

namespace npusim::base {

/// Throws InputError when the parent object or array element that the path names does not exist.
/// Objects that the schema of the document's kind lets a file leave out are made.
void apply_override(JsonValue& document, const Override& override);

}  // namespace npusim::base
