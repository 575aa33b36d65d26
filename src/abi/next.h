// libc's function behind one of ours. Tested by: tests/exec.
#pragma once

#include <dlfcn.h>

#include <atomic>

namespace skep::abi {

template <class Function>
class Next {
 public:
  explicit constexpr Next(const char* name) noexcept : name_(name) {}
  // Not noexcept: a thread that is cancelled in there unwinds.
  template <class... Arguments>
  auto operator()(Arguments... arguments) {
    void* known = found_.load(std::memory_order_relaxed);
    if (known == nullptr) found_.store(known = ::dlsym(RTLD_NEXT, name_), std::memory_order_relaxed);
    return reinterpret_cast<Function*>(known)(arguments...);
  }

 private:
  const char* name_;
  std::atomic<void*> found_{nullptr};
};

}  // namespace skep::abi
