// SPDX-License-Identifier: Apache-2.0
// .npy files of any size in pieces, as values in double. A reader keeps one window of the file, a
// writer one run of elements: memory does not grow with the file. Neither is for use by several
// threads at once.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/array_file.h"
#include "base/random_access.h"

namespace npusim::base {

class NpyReader {
 public:
  /// Reads the header; InputError as read_npy. What cannot be read at any place (a pipe) is read
  /// whole, into memory.
  explicit NpyReader(const std::string& path);
  /// From what was opened already; errors call it `name`.
  NpyReader(const std::string& name, InputBytes bytes);
  ~NpyReader();
  NpyReader(const NpyReader&) = delete;
  NpyReader& operator=(const NpyReader&) = delete;

  ElementKind kind() const;
  const std::vector<std::int64_t>& shape() const;
  std::int64_t elements() const;
  /// Elements first .. first + count - 1. Cheap in any order; cheapest in ascending order.
  void read(std::int64_t first, std::int64_t count, double* values);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Appears whole, by finish(), or not at all.
class NpyWriter {
 public:
  /// "-" as path is stdout.
  NpyWriter(const std::string& path, ElementKind kind, const std::vector<std::int64_t>& shape);
  ~NpyWriter();
  NpyWriter(const NpyWriter&) = delete;
  NpyWriter& operator=(const NpyWriter&) = delete;

  /// Each element once, in any order (ascending order only where the output cannot seek).
  /// InputError with its index for a value that the element type cannot hold exactly.
  void write(std::int64_t first, const double* values, std::int64_t count);
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace npusim::base
