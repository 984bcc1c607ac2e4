// SPDX-License-Identifier: Apache-2.0
// Files read and written at any place, for what is too large for whole_file.h. Errors are the same.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace npusim::base {

class Descriptor;

/// A file to read. A pipe or device is read to its end at once and kept in memory.
class InputBytes {
 public:
  explicit InputBytes(const std::string& path);
  /// An open file of this size; errors call it `name`.
  InputBytes(const std::string& name, Descriptor file, std::uint64_t size);
  InputBytes(InputBytes&& other) noexcept;
  ~InputBytes();

  std::uint64_t size() const;
  /// InputError when the file has become shorter meanwhile.
  void read(std::uint64_t offset, char* bytes, std::size_t count) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// A file that gets its name by finish() and is gone otherwise; whatever had the name stays until
/// then. Pipes, devices and stdout are written as the bytes come, which must be in order.
class OutputBytes {
 public:
  explicit OutputBytes(const std::string& path);
  static OutputBytes standard_output();
  OutputBytes(OutputBytes&& other) noexcept;
  ~OutputBytes();

  void write(std::uint64_t offset, std::string_view bytes);
  void finish();

 private:
  struct State;
  explicit OutputBytes(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace npusim::base
