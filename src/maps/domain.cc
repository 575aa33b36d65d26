#include "maps/domain.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "base/cpus.h"
#include "base/thread.h"
#include "maps/patience.h"

namespace skep::maps {

// The whole region. All zero but for its head when new.
struct Domain::Region {
  static constexpr std::uint64_t kMagic = 0x6e69616d6f647361;  // names the layout below
  static constexpr unsigned kMostCpus = 8192;
  static constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

  struct alignas(64) Slot {
    std::uint32_t owner;  // thread id of the lease's holder, 0: free
    std::uint32_t depth;  // nested leases; only the owner touches it
  };

  std::uint64_t magic;
  std::uint64_t identity;  // random: two handles on one region know that they are
  std::uint32_t cpus;
  std::uint32_t reserved;
  Slot slots[kMostCpus];
};

namespace {

// The leases this thread holds: where to look for them, not whether they are its own, which the slots' owner words say.
// A thread rarely holds one, and hardly ever more; beyond the table all slots are searched.
struct Leases {
  struct Lease {
    std::uint64_t domain;
    unsigned slot;
  };
  static constexpr unsigned kMost = 8;

  // Those of a fork's parent are forgotten.
  void become(std::uint32_t self) noexcept {
    if (owner != self) *this = {.owner = self, .count = 0, .elsewhere = 0, .held = {}};
  }
  void add(std::uint64_t domain, unsigned slot) noexcept {
    if (count < kMost)
      held[count++] = {domain, slot};
    else
      ++elsewhere;
  }
  void remove(std::uint64_t domain) noexcept {
    for (unsigned i = 0; i < count; ++i)
      if (held[i].domain == domain) return void(held[i] = held[--count]);
    if (elsewhere > 0) --elsewhere;
  }

  std::uint32_t owner;
  unsigned count;
  unsigned elsewhere;
  Lease held[kMost];
};

thread_local constinit Leases leases{};

}  // namespace

Result<std::unique_ptr<Domain>> Domain::create() {
  Fd fd(::memfd_create("skep-domain", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd || ::ftruncate(fd.get(), sizeof(Region)) != 0)
    return fail(errno, std::string("domain: no memory file: ") + std::strerror(errno));
  if (::fcntl(fd.get(), F_ADD_SEALS, Region::kSeals) != 0)
    return fail(errno, std::string("domain: cannot seal its memory file: ") + std::strerror(errno));
  struct {
    std::uint64_t magic = Region::kMagic;
    std::uint64_t identity = 0;
    std::uint32_t cpus = std::min(possible_cpus(), Region::kMostCpus);
    std::uint32_t reserved = 0;
  } head;
  static_assert(sizeof head == offsetof(Region, reserved) + sizeof(Region::reserved));
  (void)::getrandom(&head.identity, sizeof head.identity, GRND_NONBLOCK);
  if (::pwrite(fd.get(), &head, sizeof head, 0) != sizeof head)
    return fail(errno, std::string("domain: cannot write its memory file: ") + std::strerror(errno));
  return open(std::move(fd));
}

Result<std::unique_ptr<Domain>> Domain::open(Fd memfd) {
  const int seals = ::fcntl(memfd.get(), F_GET_SEALS);
  if (seals < 0 || (seals & Region::kSeals) != Region::kSeals) return fail(EINVAL, "domain: not a sealed memory file");
  struct stat status{};
  if (::fstat(memfd.get(), &status) != 0 || status.st_size != static_cast<off_t>(sizeof(Region)))
    return fail(EINVAL, "domain: a memory file of another size");
  Mapping mapping = Mapping::shared(memfd.get(), sizeof(Region));
  if (!mapping) return fail(errno, std::string("domain: cannot map it: ") + std::strerror(errno));
  auto* region = reinterpret_cast<Region*>(mapping.data());
  const std::uint32_t cpus = std::atomic_ref(region->cpus).load();
  if (std::atomic_ref(region->magic).load() != Region::kMagic || cpus == 0 || cpus > Region::kMostCpus)
    return fail(EINVAL, "domain: not a domain's memory file");
  std::unique_ptr<Domain> domain(new Domain);
  domain->region_ = region;
  domain->mapping_ = std::move(mapping);
  domain->fd_ = std::move(memfd);
  domain->cpus_ = cpus;
  domain->identity_ = std::atomic_ref(region->identity).load();
  return domain;
}

Domain::~Domain() = default;

int Domain::memfd() const noexcept { return fd_.get(); }

// The slot that the thread holds, or cpus_.
unsigned Domain::held_slot(std::uint32_t self) const noexcept {
  const auto owned = [&](unsigned slot) {
    return std::atomic_ref(region_->slots[slot].owner).load(std::memory_order_relaxed) == self;
  };
  leases.become(self);
  for (unsigned i = 0; i < leases.count; ++i)
    if (leases.held[i].domain == identity_ && owned(leases.held[i].slot)) return leases.held[i].slot;
  for (unsigned slot = 0; leases.elsewhere > 0 && slot < cpus_; ++slot)
    if (owned(slot)) return slot;
  return cpus_;
}

bool Domain::try_slot(unsigned slot, std::uint32_t from, std::uint32_t self) noexcept {
  Region::Slot& at = region_->slots[slot];
  if (!std::atomic_ref(at.owner).compare_exchange_strong(from, self, std::memory_order_acquire,
                                                         std::memory_order_relaxed))
    return false;
  std::atomic_ref(at.depth).store(1, std::memory_order_relaxed);
  leases.add(identity_, slot);
  return true;
}

unsigned Domain::take_cpu() noexcept {
  const std::uint32_t self = thread_id();
  if (const unsigned slot = held_slot(self); slot < cpus_) {
    const std::atomic_ref depth(region_->slots[slot].depth);
    depth.store(depth.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    return slot;
  }
  Patience patience;
  for (;;) {
    const int here = ::sched_getcpu();
    const unsigned first = here < 0 ? 0 : static_cast<unsigned>(here) % cpus_;
    for (unsigned i = 0; i < cpus_; ++i)
      if (const unsigned slot = (first + i) % cpus_; try_slot(slot, 0, self)) return slot;
    const Patience::Next next = patience.wait();
    if (next == Patience::Next::Retry) continue;
    for (unsigned slot = 0; slot < cpus_; ++slot) {
      const std::uint32_t owner = std::atomic_ref(region_->slots[slot].owner).load(std::memory_order_relaxed);
      const bool succeed = next == Patience::Next::GiveUp || !thread_exists(owner);
      if (succeed && try_slot(slot, owner, self)) return slot;
    }
  }
}

void Domain::give_cpu() noexcept {
  const unsigned slot = held_slot(thread_id());
  if (slot >= cpus_) return leases.remove(identity_);  // succeeded by another thread while this one was stopped
  Region::Slot& at = region_->slots[slot];
  const std::uint32_t depth = std::atomic_ref(at.depth).load(std::memory_order_relaxed);
  if (depth > 1) return std::atomic_ref(at.depth).store(depth - 1, std::memory_order_relaxed);
  leases.remove(identity_);
  std::atomic_ref(at.owner).store(0, std::memory_order_release);
}

}  // namespace skep::maps
