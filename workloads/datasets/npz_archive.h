// SPDX-License-Identifier: Apache-2.0
// .npz files: zip archives whose members are .npy arrays, stored or deflated, as numpy.savez and
// savez_compressed write them. The zip is libzip's business. A member is unpacked once, in pieces,
// into a scratch file (base/scratch_bytes.h), so that its records can be read in any order; its
// checksum is looked at then. Memory does not grow with the archive.
//
// Archives are not trusted: a member may not be larger than the directory says, nor the directory
// than kMostExpansion times the archive or kFreeExpansion bytes, whichever is more; what is broken
// is named by member and record.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/npy_stream.h"

namespace npusim::workloads {

class NpzArchive {
 public:
  static constexpr std::uint64_t kMostExpansion = 100;
  static constexpr std::uint64_t kFreeExpansion = std::uint64_t{256} << 20;

  /// base::InputError when it is no zip archive or its directory is broken.
  explicit NpzArchive(const std::string& path);
  /// Of bytes that stay where they are.
  NpzArchive(const std::string& name, const char* bytes, std::size_t count);
  ~NpzArchive();
  NpzArchive(const NpzArchive&) = delete;
  NpzArchive& operator=(const NpzArchive&) = delete;

  /// Without the ".npy" of their members, in the archive's order.
  std::vector<std::string> arrays() const;
  /// What errors call an array: "f.npz: member x.npy".
  std::string label(const std::string& array) const;
  std::unique_ptr<base::NpyReader> open(const std::string& array) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace npusim::workloads
