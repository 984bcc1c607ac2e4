// SPDX-License-Identifier: Apache-2.0
// Reading of the arithmetic parts that NPU and MAC-unit files share. Mistakes go to the reader's
// diagnostics; what could not be read becomes fp32, so that reading goes on.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/object_reader.h"
#include "precision/mac_unit.h"
#include "workloads/format_reader.h"

namespace npusim::npu {

using workloads::known_formats;
using workloads::read_format;
using workloads::read_scale_format;

/// Keys `format`, `rounding` (rne), `random_bits` (with rounding sr), `subnormals` (keep),
/// `overflow` (infinity where the format has one) and `nan` (keep) of an object.
precision::Arithmetic read_arithmetic(base::ObjectReader& object);

/// Key `sources`, which may be absent: what each fact rests on, as an object of strings.
void read_sources(base::ObjectReader& object);

/// Key `product`: "exact" (the default) or an object with an arithmetic.
std::optional<precision::Arithmetic> read_product(base::ObjectReader& object);

}  // namespace npusim::npu
