// SPDX-License-Identifier: Apache-2.0
// Bytes written once from front to end and then read at any place: a file without a name in the
// system's temporary folder ($TMPDIR), gone with the last who holds it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/file_descriptor.h"
#include "base/random_access.h"

namespace npusim::base {

class ScratchBytes {
 public:
  /// `name`: of what is kept, for error messages. InputError when the folder takes no file.
  explicit ScratchBytes(std::string name);

  void append(std::string_view bytes);
  InputBytes finish();

 private:
  std::string name_;
  Descriptor file_;
  std::uint64_t size_ = 0;
};

}  // namespace npusim::base
