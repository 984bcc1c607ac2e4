// SPDX-License-Identifier: Apache-2.0
// The shipped files and how names become files. Data is found in $NPUSIM_DATA_DIR, in
// ../share/npusim beside the executable's folder, or in a parent of it that holds configs/npus (a
// build tree); never through a path fixed at compile time.
#pragma once

#include <string>
#include <vector>

namespace npusim::sim {

/// Kinds with files of their own: npu, mac_unit, workload, recipe, scenario, suite, sweep.
const std::vector<std::string>& file_kinds();

struct CatalogEntry {
  std::string name;  ///< file stem
  std::string kind;
  std::string file;
  std::string description;
};

/// Folder that holds configs/ and workloads/. Throws base::InputError saying where it looked.
std::string data_folder();

/// Shipped files of a kind, sorted by name.
std::vector<CatalogEntry> list_files(const std::string& kind);

/// A path (anything with '/' or ending in .json that exists) or the name of a shipped file. Throws
/// base::InputError ("missing-file" or "unknown-name" with a did-you-mean).
std::string find_file(const std::string& kind, const std::string& name_or_path);

/// The same for a name that stands in a file of `folder`: a path is relative to it.
std::string find_file_beside(const std::string& kind, const std::string& name_or_path,
                             const std::string& folder);

/// Arguments with glob patterns expanded (sorted); a pattern that matches nothing is an InputError.
std::vector<std::string> expand_patterns(const std::vector<std::string>& arguments);

}  // namespace npusim::sim
