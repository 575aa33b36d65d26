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
#include "maps/patience.h"

namespace skep::maps {

// The whole region. All zero but for its head when new.
struct Domain::Region {
  static constexpr std::uint64_t kMagic = 0x6e69616d6f647363;  // names the layout below
  static constexpr unsigned kMostCpus = 8192;
  static constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

  std::uint64_t magic;
  std::uint64_t identity;  // random: two handles on one region know that they are
  std::uint32_t cpus;
  std::uint32_t reserved;
  Slot slots[kMostCpus];
};

constinit thread_local Domain::Leases Domain::leases_{};

namespace {
[[gnu::tls_model("initial-exec")]] thread_local constinit std::uint32_t preferred_cpu = UINT32_MAX;
}

void Domain::prefer_cpu(std::uint32_t cpu) noexcept { preferred_cpu = cpu; }

unsigned Domain::preferred() const noexcept { return preferred_cpu < cpus_ ? preferred_cpu : current_cpu(cpus_); }

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
  domain->slots_ = region->slots;
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
  leases_.become(self);
  for (unsigned i = 0; i < leases_.count; ++i)
    if (leases_.held[i].domain == identity_ && slot(leases_.held[i].slot).is_held_by(self)) return leases_.held[i].slot;
  for (unsigned number = 0; leases_.elsewhere > 0 && number < cpus_; ++number)
    if (slot(number).is_held_by(self)) return number;
  return cpus_;
}

bool Domain::try_slot(unsigned number, std::uint32_t from, std::uint32_t self, Others others) noexcept {
  Slot& at = slot(number);
  const std::atomic_ref<std::uint32_t> owner(at.owner);
  leases_.add(identity_, number);
  if (!owner.compare_exchange_strong(from, self)) return leases_.remove(identity_, number), false;
  if (!at.bias.lets_pass(self)) {
    const bool is_free = others != Others::Leave && at.bias.revoke() && at.bias.whoever_is_inside() == 0;
    if (!is_free && others != Others::Succeed) {
      owner.store(0, std::memory_order_release);
      return leases_.remove(identity_, number), false;
    }
    if (const std::uint32_t left = at.bias.whoever_is_inside(); left != 0) at.bias.put_out(left);
  }
  if (at.bias.is_due(self)) (void)at.bias.grant(self);
  at.begin();
  leases_.last = {identity_, number};
  return true;
}

bool Domain::try_free_slot(unsigned number, std::uint32_t self, Others others) noexcept {
  return slot(number).holder() == 0 && try_slot(number, 0, self, others);
}

unsigned Domain::take_any(std::uint32_t self) noexcept {
  if (const unsigned held = held_slot(self); held < cpus_) {
    set(slot(held).depth, get(slot(held).depth) + 1);
    return held;
  }
  const unsigned first = preferred();
  return try_free_slot(first, self, Others::Leave) ? first : wait_for_slot(self);
}

// One of the slots, whose lease a contender watches: whether it is the same all the while.
class Domain::Watch {
 public:
  Watch(const Domain& domain, unsigned number) noexcept : domain_(domain), number_(number) { look(); }
  unsigned number() const noexcept { return number_; }
  std::uint32_t owner() const noexcept { return owner_; }
  std::uint32_t holder() const noexcept { return holder_; }
  // Looks again, and then at the next slot if this one has changed hands.
  bool moved_on() noexcept {
    const auto [holder, turns] = std::pair(holder_, turns_);
    look();
    if (holder_ == holder && turns_ == turns) return false;
    number_ = (number_ + 1) % domain_.cpus_;
    look();
    return true;
  }

 private:
  void look() noexcept {
    Slot& at = domain_.slot(number_);
    owner_ = get(at.owner);
    holder_ = at.holder();
    turns_ = get(at.turns);
  }

  const Domain& domain_;
  unsigned number_;
  std::uint32_t owner_ = 0;  // the word
  std::uint32_t holder_ = 0;
  std::uint32_t turns_ = 0;
};

unsigned Domain::wait_for_slot(std::uint32_t self) noexcept {
  constexpr std::chrono::seconds kMostPatience{10};
  Patience patience;
  Watch watch(*this, 0);
  for (;;) {
    const unsigned first = preferred();
    for (const Others others : {Others::Leave, Others::EndBias})
      for (unsigned i = 0; i < cpus_; ++i)
        if (const unsigned number = (first + i) % cpus_; try_free_slot(number, self, others)) return number;
    const Patience::Next next = patience.wait();
    if (next == Patience::Next::Retry) continue;
    if (const unsigned number = succeed_the_dead(self); number < cpus_) return number;
    if (watch.moved_on())
      patience.begin_anew();
    else if (next == Patience::Next::GiveUp &&
             (thread_is_stopped(thread_of(watch.holder())) || patience.lasted(kMostPatience)) &&
             try_slot(watch.number(), watch.owner(), self, Others::Succeed))
      return watch.number();
  }
}

// The slot of a holder that does not live any more; cpus_ when there is none.
unsigned Domain::succeed_the_dead(std::uint32_t self) noexcept {
  for (unsigned number = 0; number < cpus_; ++number) {
    const std::uint32_t owner = get(slot(number).owner);
    const std::uint32_t holder = slot(number).holder();
    const bool is_left = holder != 0 && !owner_exists(holder) && (owner == 0 || !owner_exists(owner));
    if (is_left && try_slot(number, owner, self, Others::Succeed)) return number;
  }
  return cpus_;
}

void Domain::give_any(std::uint32_t self) noexcept {
  const unsigned held = held_slot(self);
  if (held >= cpus_) return leases_.forget(identity_);  // succeeded by another thread while this one was stopped
  Slot& at = slot(held);
  if (const std::uint32_t depth = get(at.depth); depth != 0) return set(at.depth, depth - 1);
  if (at.bias.is_inside(self))
    at.bias.leave(self);
  else
    set(at.owner, 0U);
  leases_.remove(identity_, held);
}

}  // namespace skep::maps
