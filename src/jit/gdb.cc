// GDB's JIT interface: a list of object files in memory, and a function that gdb has a breakpoint on. Source: the GDB
// manual, "JIT Compilation Interface".
#include <cstdint>
#include <mutex>

#include "jit/debug_object.h"
#include "jit/tools.h"

extern "C" {

enum : std::uint32_t { kNoAction, kRegister, kUnregister };

struct CodeEntry {
  CodeEntry* next;
  CodeEntry* before;
  const std::byte* file;
  std::uint64_t bytes;
};

struct Descriptor {
  std::uint32_t version;
  std::uint32_t action;
  CodeEntry* relevant;
  CodeEntry* first;
};

// NOLINTBEGIN(readability-identifier-naming): gdb looks for these names.
// Weak: another compiler in the process may have brought them along.
[[gnu::weak, gnu::used, gnu::visibility("default")]] Descriptor __jit_debug_descriptor = {1, kNoAction, nullptr,
                                                                                          nullptr};
[[gnu::weak, gnu::used, gnu::noinline, gnu::visibility("default")]] void __jit_debug_register_code() {
  asm volatile("" ::: "memory");  // gdb stops here
}
// NOLINTEND(readability-identifier-naming)
}

namespace skep::jit {
namespace {

std::mutex list_mutex;

class Entry final : public Told {
 public:
  explicit Entry(std::vector<std::byte> file) : file_(std::move(file)) {
    const std::scoped_lock lock(list_mutex);
    Descriptor& list = __jit_debug_descriptor;
    entry_ = {.next = list.first, .before = nullptr, .file = file_.data(), .bytes = file_.size()};
    if (list.first != nullptr) list.first->before = &entry_;
    list.first = &entry_;
    tell(kRegister);
  }
  ~Entry() override {
    const std::scoped_lock lock(list_mutex);
    (entry_.before != nullptr ? entry_.before->next : __jit_debug_descriptor.first) = entry_.next;
    if (entry_.next != nullptr) entry_.next->before = entry_.before;
    tell(kUnregister);
  }
  Entry(const Entry&) = delete;
  Entry& operator=(const Entry&) = delete;

 private:
  void tell(std::uint32_t action) noexcept {
    __jit_debug_descriptor.relevant = &entry_;
    __jit_debug_descriptor.action = action;
    __jit_debug_register_code();
  }

  std::vector<std::byte> file_;
  CodeEntry entry_{};
};

}  // namespace

Keepsake tell_gdb(const Portrait& portrait) { return std::make_unique<Entry>(debug_object(portrait)); }

}  // namespace skep::jit
