// SPDX-License-Identifier: Apache-2.0
#include "precision/kernels/scratch.h"

#include <array>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

namespace npusim::precision::kernels {
namespace {

constexpr std::align_val_t kAlignment{64};
constexpr std::size_t kMostKept = std::size_t{64} << 20;

struct Block {
  void* memory = nullptr;
  std::size_t bytes = 0;
};

class Shelf {
 public:
  void* take(std::size_t bytes) {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (Block& block : blocks_) {
      if (block.memory == nullptr || block.bytes != bytes) continue;
      kept_ -= bytes;
      return std::exchange(block.memory, nullptr);
    }
    return nullptr;
  }
  /// What has to make room for it; itself where it is too large.
  std::vector<void*> put(void* memory, std::size_t bytes) {
    if (bytes > kMostKept) return {memory};
    std::vector<void*> evicted;
    const std::lock_guard<std::mutex> lock(mutex_);
    Block* place = empty();
    while (place == nullptr || kept_ + bytes > kMostKept) {
      place = &blocks_[next_];
      next_ = (next_ + 1) % blocks_.size();
      if (place->memory == nullptr) continue;
      kept_ -= place->bytes;
      evicted.push_back(std::exchange(place->memory, nullptr));
    }
    *place = {memory, bytes};
    kept_ += bytes;
    return evicted;
  }

 private:
  Block* empty() {
    for (Block& block : blocks_)
      if (block.memory == nullptr) return &block;
    return nullptr;
  }

  std::mutex mutex_;
  std::array<Block, 64> blocks_;
  std::size_t next_ = 0, kept_ = 0;
};

Shelf& shelf() {
  static Shelf* const shelf = new Shelf;  // threads may outlive static objects
  return *shelf;
}

}  // namespace

void* take_scratch(std::size_t bytes) {
  void* const kept = shelf().take(bytes);
  return kept != nullptr ? kept : operator new(bytes, kAlignment);
}

void give_back_scratch(void* memory, std::size_t bytes) noexcept {
  for (void* const evicted : shelf().put(memory, bytes)) operator delete(evicted, kAlignment);
}

}  // namespace npusim::precision::kernels
