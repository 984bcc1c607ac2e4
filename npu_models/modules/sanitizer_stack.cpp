// SPDX-License-Identifier: Apache-2.0
#include "npu_models/modules/sanitizer_stack.h"

#if defined(__SANITIZE_ADDRESS__)
#define NPUSIM_ADDRESS_SANITIZER
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define NPUSIM_ADDRESS_SANITIZER
#endif
#endif

#if defined(NPUSIM_ADDRESS_SANITIZER)
#include <pthread.h>
#include <sanitizer/common_interface_defs.h>

#include <cstddef>
#endif

namespace npusim::npu::model {

void restore_sanitizer_stack() {
#if defined(NPUSIM_ADDRESS_SANITIZER)
  pthread_attr_t attributes;
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) return;
  void* bottom = nullptr;
  std::size_t size = 0;
  pthread_attr_getstack(&attributes, &bottom, &size);
  pthread_attr_destroy(&attributes);
  void* fake_stack = nullptr;
  __sanitizer_start_switch_fiber(&fake_stack, bottom, size);
  __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
#endif
}

}  // namespace npusim::npu::model
