// SPDX-License-Identifier: Apache-2.0
// Where the numbers of an NPU file come from. Section `sources` maps JSON pointers to facts; a
// fact holds for everything at and below its pointer, the longest pointer wins, "" is the whole
// file. A value that an extending file writes needs a fact of that file: the parent's source did
// not state the new value. Values of `--set` need none.
#pragma once

#include <string>
#include <vector>

#include "base/object_reader.h"

namespace npusim::npu {

enum class FactStatus { published, derived, assumed };
const char* name_of(FactStatus status);

struct Fact {
  std::string pointer;
  FactStatus status = FactStatus::assumed;
  std::string source;   ///< citation; of an assumption: what it rests on
  std::string formula;  ///< derived only: how it follows from published figures
  std::string file;     ///< the one that states it
};

/// A number, or an entry of the operator table, and what it rests on.
struct SourcedValue {
  std::string pointer;
  const base::JsonValue* value = nullptr;
  const Fact* fact = nullptr;  ///< nullptr: none; of `--set`: none needed
  bool overridden = false;     ///< by `--set`
};

/// Key `sources` of an NPU file.
std::vector<Fact> read_facts(base::ObjectReader& root);

/// Every number and every entry of the operator table, in the order of the document; `facts` must
/// outlive the result.
std::vector<SourcedValue> sourced_values(const base::JsonValue& document,
                                         const std::vector<Fact>& facts);

/// Refuses values without a fact, and facts about nothing that stands in the file.
void check_provenance(const base::JsonValue& document, const std::vector<Fact>& facts,
                      base::Diagnostics& diagnostics);

}  // namespace npusim::npu
