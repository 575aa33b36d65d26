// The unwinder of this process: backtrace() and the like go through compiled frames.
//
// Its list costs every exception that is thrown in the process a look, so nobody is told without being asked.
#include <dlfcn.h>

#include "jit/tools.h"
#include "jit/unwind.h"

// NOLINTBEGIN(readability-identifier-naming): libgcc's names
extern "C" {
void __register_frame(void* table);
void __deregister_frame(void* table);
}
// NOLINTEND(readability-identifier-naming)

namespace skep::jit {
namespace {

using Registrar = void (*)(void*);

// The process's, where it has one of its own beside ours.
Registrar find(const char* name, Registrar ours) noexcept {
  void* const theirs = ::dlsym(RTLD_DEFAULT, name);
  return theirs != nullptr ? reinterpret_cast<Registrar>(theirs) : ours;
}

class Registered final : public Told {
 public:
  explicit Registered(std::vector<std::byte> table) : table_(std::move(table)) {
    find("__register_frame", &__register_frame)(table_.data());
  }
  ~Registered() override { find("__deregister_frame", &__deregister_frame)(table_.data()); }
  Registered(const Registered&) = delete;
  Registered& operator=(const Registered&) = delete;

 private:
  std::vector<std::byte> table_;
};

}  // namespace

Keepsake tell_unwinder(const Portrait& portrait) {
  auto table = unwind_table(portrait, 0, portrait.functions.size(), {});
  return table.empty() ? nullptr : std::make_unique<Registered>(std::move(table));
}

}  // namespace skep::jit
