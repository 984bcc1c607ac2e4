// SPDX-License-Identifier: Apache-2.0
// Reads a workload given as text and tells its mistakes as short lines.
#pragma once

#include <string>
#include <vector>

#include "base/config_file.h"
#include "base/error.h"
#include "temp_file.h"
#include "workloads/workload.h"

namespace npusim::workloads::testing {

inline Workload read_text(const std::string& json, const std::vector<std::string>& set = {}) {
  const TempFolder folder;
  std::vector<base::Override> overrides;
  for (const std::string& text : set) overrides.push_back(base::parse_override(text).override);
  return load_workload(folder.write("w.json", json), overrides);
}

/// "line: /pointer: code" of every mistake.
inline std::vector<std::string> mistakes(const std::string& json,
                                         const std::vector<std::string>& set = {}) {
  std::vector<std::string> result;
  try {
    read_text(json, set);
  } catch (const base::InputError& error) {
    for (const base::Diagnostic& item : error.diagnostics())
      result.push_back(std::to_string(item.line) + ": " + item.pointer + ": " + item.code);
  }
  return result;
}

/// The full text of all mistakes.
inline std::string message(const std::string& json, const std::vector<std::string>& set = {}) {
  try {
    read_text(json, set);
  } catch (const base::InputError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace npusim::workloads::testing
