#include "abi/route.h"

#include <sys/syscall.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <mutex>
#include <shared_mutex>
#include <vector>

#include "base/raw_syscall.h"
#include "spec/commands.h"

namespace skep::abi {
namespace {

// Where a command's attribute names the object it works on: the byte offset of a descriptor. Commands
// that are not here make new objects or go by id: they follow the thread's target.
struct DescriptorField {
  int command;
  std::size_t offset;
};
constexpr DescriptorField kDescriptors[] = {
#define ON_DESCRIPTOR(command, offset) {command, offset},
#include "spec/descriptors.def"
#undef ON_DESCRIPTOR
};

thread_local const Target* thread_target = nullptr;

struct Hives {
  std::shared_mutex lock;
  std::vector<hive::Hive*> list;
};
Hives& attached() {
  static Hives hives;
  return hives;
}

std::atomic<hive::Hive*> process_hive = nullptr;
std::atomic<PrivilegeSource> process_privilege = nullptr;

class ThisThread final : public hive::LocalCaller {
 public:
  hive::Privilege privilege() const noexcept override {
    const PrivilegeSource source = process_privilege.load(std::memory_order_acquire);
    return source != nullptr ? source() : LocalCaller::privilege();
  }
};

bool holds(const hive::Hive& hive, int fd) { return hive.program(fd).has_value() || hive.map(fd).has_value(); }

// The hive that `fd` belongs to; null when none of the attached ones knows it. The caller holds the lock. An object
// that is neither map nor program can only be told apart from the kernel's: the first hive answers for it.
hive::Hive* owner_of(int fd, const std::vector<hive::Hive*>& hives) {
  if (hives.empty() || fd < 0 || !hive::Hive::owns(fd)) return nullptr;
  const auto found = std::ranges::find_if(hives, [fd](const hive::Hive* hive) { return holds(*hive, fd); });
  return found != hives.end() ? *found : hives.front();
}

// The descriptor a call is about, or -1. The attribute may lie at a bad address.
int descriptor_of(hive::Caller& caller, int command, std::uint64_t attr, unsigned size) noexcept {
  for (const DescriptorField& field : kDescriptors) {
    if (field.command != command || field.offset + sizeof(int) > size) continue;
    std::array<std::byte, sizeof(int)> bytes;
    if (caller.copy_in(attr + field.offset, bytes)) return load<int>(bytes.data());
  }
  return -1;
}

long to_kernel(int command, void* attr, unsigned size) noexcept {
  return raw_syscall(SYS_bpf, command, static_cast<long>(reinterpret_cast<std::uintptr_t>(attr)),
                     static_cast<long>(size));
}

}  // namespace

Target::Target(Kind kind, hive::Hive* hive, Answerer* answerer) noexcept
    : kind_(kind), hive_(hive), answerer_(answerer), outer_(thread_target) {
  thread_target = this;
}
Target::~Target() { thread_target = outer_; }

Target use(hive::Hive& hive) noexcept { return {Target::Kind::Hive, &hive, nullptr}; }
Target use_kernel() noexcept { return {Target::Kind::Kernel, nullptr, nullptr}; }
Target use(Answerer& answerer) noexcept { return {Target::Kind::Answerer, nullptr, &answerer}; }

Attached::Attached(hive::Hive& hive) : hive_(hive) {
  const std::unique_lock lock(attached().lock);
  attached().list.push_back(&hive_);
}
Attached::~Attached() {
  const std::unique_lock lock(attached().lock);
  std::erase(attached().list, &hive_);
}

long bpf(int command, void* attr, unsigned size) noexcept {
  ThisThread caller;
  const auto address = reinterpret_cast<std::uintptr_t>(attr);
  if (thread_target) {
    switch (thread_target->kind_) {
      case Target::Kind::Hive: return thread_target->hive_->call(caller, command, address, size);
      case Target::Kind::Kernel: return to_kernel(command, attr, size);
      case Target::Kind::Answerer: return thread_target->answerer_->bpf(command, attr, size);
    }
  }
  const std::shared_lock lock(attached().lock);
  hive::Hive* hive = process_hive.load(std::memory_order_acquire);
  if (!attached().list.empty())
    if (hive::Hive* owner = owner_of(descriptor_of(caller, command, address, size), attached().list)) hive = owner;
  return hive ? hive->call(caller, command, address, size) : to_kernel(command, attr, size);
}

void set_process_hive(hive::Hive* hive, PrivilegeSource privilege) noexcept {
  process_privilege.store(privilege, std::memory_order_release);
  process_hive.store(hive, std::memory_order_release);
}

int ring_buffer_wakeup(int fd) noexcept {
  if (fd < 0 || !hive::Hive::owns(fd)) return -1;
  const auto wakeup_in = [fd](const hive::Hive* hive) {
    return hive ? hive->wakeup(fd).value_or(hive::Wakeup{}).event : -1;
  };
  if (thread_target && thread_target->hive_)
    if (const int wakeup = wakeup_in(thread_target->hive_); wakeup >= 0) return wakeup;
  const std::shared_lock lock(attached().lock);
  for (const hive::Hive* hive : attached().list)
    if (const int wakeup = wakeup_in(hive); wakeup >= 0) return wakeup;
  return wakeup_in(process_hive.load(std::memory_order_acquire));
}

}  // namespace skep::abi
