// SPDX-License-Identifier: Apache-2.0
// Reading of the arithmetic parts that NPU and MAC-unit files share. Mistakes go to the reader's
// diagnostics; what could not be read becomes fp32, so that reading goes on.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/object_reader.h"
#include "precision/mac_unit.h"

namespace npusim::npu {

/// A format by name.
/// The format names there are, for messages.
std::string known_formats();
precision::Format read_format(const base::ValueReader& value);

/// Keys `format`, `rounding` (rne), `subnormals` (keep) and `overflow` (infinity) of an object.
precision::Arithmetic read_arithmetic(base::ObjectReader& object);

/// Key `sources`, which may be absent: what each fact rests on, as an object of strings.
void read_sources(base::ObjectReader& object);

/// Key `product`: "exact" (the default) or an object with an arithmetic.
std::optional<precision::Arithmetic> read_product(base::ObjectReader& object);

/// Key `inner_stages`, which may be absent. A stage whose format is "accumulator" has an empty
/// format name: it rounds as the accumulator does, whichever that is.
std::vector<precision::Stage> read_inner_stages(base::ObjectReader& object);

/// The stages with the accumulator's arithmetic where they ask for it, and the accumulator behind
/// them.
std::vector<precision::Stage> complete_stages(std::vector<precision::Stage> inner,
                                              const precision::Arithmetic& accumulator);

}  // namespace npusim::npu
