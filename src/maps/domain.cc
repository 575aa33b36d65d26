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
#include "maps/patience.h"

namespace skep::maps {

// The whole region. All zero but for its head when new.
struct Domain::Region {
  static constexpr std::uint64_t kMagic = 0x6e69616d6f647362;  // names the layout below
  static constexpr unsigned kMostCpus = 8192;
  static constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

  std::uint64_t magic;
  std::uint64_t identity;  // random: two handles on one region know that they are
  std::uint32_t cpus;
  std::uint32_t reserved;
  Slot slots[kMostCpus];
};

constinit thread_local Domain::Leases Domain::leases_{};

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
  if (!owner.compare_exchange_strong(from, self)) return false;
  if (!at.bias.lets_pass(self)) {
    const bool is_free = others != Others::Leave && at.bias.revoke() && get(at.bias.inside) == 0;
    if (!is_free && others != Others::Succeed) return owner.store(0, std::memory_order_release), false;
    set(at.bias.inside, 0U);
  }
  if (at.bias.is_due(self)) (void)at.bias.grant(self);
  set(at.depth, 1U);
  leases_.add(identity_, number);
  return true;
}

unsigned Domain::take_any(std::uint32_t self) noexcept {
  if (const unsigned held = held_slot(self); held < cpus_) {
    set(slot(held).depth, get(slot(held).depth) + 1);
    return held;
  }
  Patience patience;
  for (;;) {
    const int here = ::sched_getcpu();
    const unsigned first = here < 0 ? 0 : static_cast<unsigned>(here) % cpus_;
    for (const Others others : {Others::Leave, Others::EndBias})
      for (unsigned i = 0; i < cpus_; ++i)
        if (const unsigned number = (first + i) % cpus_;
            slot(number).holder() == 0 && try_slot(number, 0, self, others))
          return number;
    const Patience::Next next = patience.wait();
    if (next == Patience::Next::Retry) continue;
    for (unsigned number = 0; number < cpus_; ++number) {
      const std::uint32_t owner = get(slot(number).owner);
      const bool succeed = next == Patience::Next::GiveUp || !thread_exists(slot(number).holder());
      if (succeed && try_slot(number, owner, self, Others::Succeed)) return number;
    }
  }
}

void Domain::give_any(std::uint32_t self) noexcept {
  const unsigned held = held_slot(self);
  if (held >= cpus_) return leases_.remove(identity_);  // succeeded by another thread while this one was stopped
  Slot& at = slot(held);
  if (const std::uint32_t depth = get(at.depth); depth > 1) return set(at.depth, depth - 1);
  leases_.remove(identity_);
  if (get(at.bias.inside) == self)
    at.bias.leave();
  else
    set(at.owner, 0U);
}

}  // namespace skep::maps
