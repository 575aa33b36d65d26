#include "maps/domain.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <utility>

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
    std::uint32_t owner;  // the lease's holder, its this_owner(); 0: free
    std::uint32_t depth;  // leases nested in the first; only the owner touches it
    std::uint32_t turns;  // leases that there were; likewise
  };

  std::uint64_t magic;
  std::uint64_t identity;  // random: two handles on one region know that they are
  std::uint32_t cpus;
  std::uint32_t reserved;
  Slot slots[kMostCpus];
};

namespace {

// The leases this thread holds: where to look for them, not whether they are its own, which the slots' owner words say.
// A thread rarely holds one, and hardly ever more; beyond the table all slots are searched. A signal handler may come
// in between at any instruction, and adds and removes leases of its own before the thread goes on: so a lease is here
// before its slot is taken and until after it is given back, and what is written last is what makes it count.
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
    if (count == kMost) return void(++elsewhere);
    const unsigned at = count;
    count = at + 1;  // first: what a handler adds goes behind it
    std::atomic_signal_fence(std::memory_order_seq_cst);
    held[at] = {domain, slot};
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  void remove(std::uint64_t domain, unsigned slot) noexcept {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    for (unsigned i = count; i-- > 0;)
      if (held[i].domain == domain && held[i].slot == slot) return drop(i);
    if (elsewhere > 0) --elsewhere;
  }
  // The last one, of a slot that is another's meanwhile.
  void forget(std::uint64_t domain) noexcept {
    for (unsigned i = count; i-- > 0;)
      if (held[i].domain == domain) return drop(i);
    if (elsewhere > 0) --elsewhere;
  }
  void drop(unsigned i) noexcept {
    held[i] = held[count - 1];
    std::atomic_signal_fence(std::memory_order_seq_cst);
    --count;
  }

  std::uint32_t owner;
  unsigned count;
  unsigned elsewhere;
  Lease held[kMost];
};

thread_local constinit Leases leases{};
thread_local constinit std::uint32_t preferred_cpu = UINT32_MAX;

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
  leases.add(identity_, slot);
  if (!std::atomic_ref(at.owner).compare_exchange_strong(from, self, std::memory_order_acquire,
                                                         std::memory_order_relaxed)) {
    leases.remove(identity_, slot);
    return false;
  }
  std::atomic_ref(at.depth).store(0, std::memory_order_relaxed);
  const std::atomic_ref turns(at.turns);
  turns.store(turns.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  return true;
}

bool Domain::try_free_slot(unsigned slot, std::uint32_t self) noexcept {
  return std::atomic_ref(region_->slots[slot].owner).load(std::memory_order_relaxed) == 0 && try_slot(slot, 0, self);
}

void Domain::prefer_cpu(std::uint32_t cpu) noexcept { preferred_cpu = cpu; }

unsigned Domain::preferred() const noexcept { return preferred_cpu < cpus_ ? preferred_cpu : current_cpu(cpus_); }

unsigned Domain::take_cpu() noexcept {
  const std::uint32_t self = this_owner();
  if (const unsigned slot = held_slot(self); slot < cpus_) {
    const std::atomic_ref depth(region_->slots[slot].depth);
    depth.store(depth.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    return slot;
  }
  const unsigned first = preferred();
  return try_free_slot(first, self) ? first : wait_for_slot(self);
}

// One of the slots, whose lease a contender watches: whether it is the same all the while.
class Domain::Watch {
 public:
  Watch(const Domain& domain, unsigned slot) noexcept : domain_(domain), slot_(slot) { look(); }
  unsigned slot() const noexcept { return slot_; }
  std::uint32_t owner() const noexcept { return owner_; }
  // Looks again, and then at the next slot if this one has changed hands.
  bool moved_on() noexcept {
    const auto [owner, turns] = std::pair(owner_, turns_);
    look();
    if (owner_ == owner && turns_ == turns) return false;
    slot_ = (slot_ + 1) % domain_.cpus_;
    look();
    return true;
  }

 private:
  void look() noexcept {
    Region::Slot& at = domain_.region_->slots[slot_];
    owner_ = std::atomic_ref(at.owner).load(std::memory_order_relaxed);
    turns_ = std::atomic_ref(at.turns).load(std::memory_order_relaxed);
  }

  const Domain& domain_;
  unsigned slot_;
  std::uint32_t owner_ = 0;
  std::uint32_t turns_ = 0;
};

unsigned Domain::wait_for_slot(std::uint32_t self) noexcept {
  constexpr std::chrono::seconds kMostPatience{10};
  Patience patience;
  Watch watch(*this, 0);
  for (;;) {
    const unsigned first = preferred();
    for (unsigned i = 0; i < cpus_; ++i)
      if (const unsigned slot = (first + i) % cpus_; try_free_slot(slot, self)) return slot;
    const Patience::Next next = patience.wait();
    if (next == Patience::Next::Retry) continue;
    if (const unsigned slot = succeed_the_dead(self); slot < cpus_) return slot;
    if (watch.moved_on())
      patience.begin_anew();
    else if (next == Patience::Next::GiveUp &&
             (thread_is_stopped(thread_of(watch.owner())) || patience.lasted(kMostPatience)) &&
             try_slot(watch.slot(), watch.owner(), self))
      return watch.slot();
  }
}

// The slot of a holder that does not live any more; cpus_ when there is none.
unsigned Domain::succeed_the_dead(std::uint32_t self) noexcept {
  for (unsigned slot = 0; slot < cpus_; ++slot) {
    const std::uint32_t owner = std::atomic_ref(region_->slots[slot].owner).load(std::memory_order_relaxed);
    if (owner != 0 && !owner_exists(owner) && try_slot(slot, owner, self)) return slot;
  }
  return cpus_;
}

void Domain::give_cpu() noexcept {
  const unsigned slot = held_slot(this_owner());
  if (slot >= cpus_) return leases.forget(identity_);  // succeeded by another thread while this one was stopped
  Region::Slot& at = region_->slots[slot];
  const std::uint32_t depth = std::atomic_ref(at.depth).load(std::memory_order_relaxed);
  if (depth != 0) return std::atomic_ref(at.depth).store(depth - 1, std::memory_order_relaxed);
  std::atomic_ref(at.owner).store(0, std::memory_order_release);
  leases.remove(identity_, slot);
}

}  // namespace skep::maps
