// SPDX-License-Identifier: Apache-2.0
// What dot and explain share: the unit that the command line names, and operands that must be
// values of its formats.
#pragma once

#include <string>
#include <vector>

#include "base/array_file.h"
#include "base/error.h"
#include "precision/mac_unit.h"
#include "tools/options.h"

namespace npusim::tools {

struct ChosenUnit {
  std::string file;
  std::vector<base::Override> overrides;
  precision::MacUnit unit;
};
/// --unit with --set; paths must start with "unit".
ChosenUnit choose_unit(const std::string& name, const CommonOptions& common);

/// One operand and where it came from (a file, or "" for the command line). The values may be a
/// part of those that the shape speaks of: from element `first` on.
struct UnitOperand {
  std::string name, file;
  base::ArrayData array;
  std::size_t first = 0;
};

/// Collects values that a format cannot hold, naming operand and index; lists the first twenty.
class Misfits {
 public:
  void add(const std::string& file, const std::string& what, const std::string& allowed);
  bool empty() const { return count_ == 0; }
  void throw_if_any();  ///< base::InputError

 private:
  std::size_t count_ = 0;
  std::vector<base::Diagnostic> items_;
};

/// Operands a, b and c against the unit's formats: values that a format does not have are rounded
/// (a and b in the unit's input rounding, c to nearest) or base::InputError lists them all.
void fit_operands(UnitOperand& a, UnitOperand& b, UnitOperand& c, const precision::MacUnit& unit,
                  bool round);
/// The same, into a list that goes on.
void fit_operands(UnitOperand& a, UnitOperand& b, UnitOperand& c, const precision::MacUnit& unit,
                  bool round, Misfits& misfits);

/// Blocks of k terms of a row that have a scale each; 0 for units without scales.
std::int64_t scale_blocks(const precision::MacUnit& unit, std::int64_t k);
/// Scales that the unit's scale format does not have go to the list.
void fit_scales(const UnitOperand& scales, const precision::MacUnit& unit, Misfits& misfits);
/// The scale of each of a row's k terms; empty for units without scales. `scales` holds whole rows.
std::vector<double> scales_of_terms(const UnitOperand& scales, std::int64_t row, std::int64_t k,
                                    const precision::MacUnit& unit);

/// Shortest decimal text that names the value.
std::string exact_text(double value);

}  // namespace npusim::tools
