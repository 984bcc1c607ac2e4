// SPDX-License-Identifier: Apache-2.0
// Any bytes as an .npz archive: arrays whose elements can all be read, or a base::InputError.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/error.h"
#include "workloads/datasets/npz_archive.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace npusim;
  try {
    const workloads::NpzArchive archive("fuzz", reinterpret_cast<const char*>(data), size);
    for (const std::string& name : archive.arrays()) {
      const auto array = archive.open(name);
      std::vector<double> values(static_cast<std::size_t>(
          std::min<std::int64_t>(array->elements(), std::int64_t{1} << 20)));
      array->read(0, static_cast<std::int64_t>(values.size()), values.data());
    }
  } catch (const base::InputError&) {
  }
  return 0;
}
