// SPDX-License-Identifier: Apache-2.0
// Number formats in recipes, NPU and MAC-unit files. Mistakes go to the reader's diagnostics; what
// could not be read becomes fp32, so that reading goes on.
#pragma once

#include <string>

#include "base/object_reader.h"
#include "precision/rounding.h"

namespace npusim::workloads {

/// The format names there are, for messages.
std::string known_formats();

/// A format by name, of numbers with a sign.
precision::Format read_format(const base::ValueReader& value);

/// A format by name, of scales: e8m0 or any format of numbers.
precision::Format read_scale_format(const base::ValueReader& value);

/// Keys `subnormals`, `overflow` and `nan` of an object; absent ones leave the format as it is.
/// Rules that the format cannot follow (overflow to an infinity that it lacks) are reported.
void read_format_rules(base::ObjectReader& object, precision::Format& format);

/// A name, or an object of `name` and the keys of read_format_rules.
precision::Format read_format_with_rules(const base::ValueReader& value);

/// Keys `rounding` (rne) and `random_bits`, which goes with rounding sr and only with it; the
/// format of the result is not set.
precision::Arithmetic read_rounding(base::ObjectReader& object);

}  // namespace npusim::workloads
