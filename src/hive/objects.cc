#include "hive/objects.h"

#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <mutex>

namespace skep::hive {
namespace {

constexpr unsigned kExaminedInPassing = 2;  // objects of a kind at each creation

bool same_tag(const Identity& identity, std::uint64_t tag) noexcept {
  const std::uint64_t mask =
      identity.kind == Kind::Map ? (std::uint64_t{1} << kPositionTagBits) - 1 : ~std::uint64_t{0};
  return ((identity.tag ^ tag) & mask) == 0;
}

}  // namespace

bool Object::open() noexcept {
  std::erase_if(ends_, [](const Fd& end) { return hung_up(end.get()); });
  return !ends_.empty();
}

Objects::Objects(runtime::Epochs& epochs, Forget forget) : epochs_(epochs), forget_(std::move(forget)) {}
Objects::~Objects() = default;

std::uint64_t Objects::tag() noexcept {
  const std::scoped_lock lock(mutex_);
  if (const int self = ::getpid(); self != owner_) {
    std::uint32_t random[3] = {static_cast<std::uint32_t>(self), 0, 0};
    static_cast<void>(::getrandom(random, sizeof random, 0));
    tag_ = std::uint64_t{random[0]} << 32 | random[1];
    last_serial_ = random[2];
    owner_ = self;
  }
  return tag_;
}

std::uint32_t Objects::take_id(Kind kind) {
  const std::scoped_lock lock(mutex_);
  Shelf& at = shelf(kind);
  do at.last_id = at.last_id >= INT_MAX ? 1 : at.last_id + 1;
  while (at.objects.contains(at.last_id));
  return at.last_id;
}

void Objects::enter(std::shared_ptr<Object> object, std::uint32_t id) {
  const std::uint64_t ours = tag();
  Dead dead;
  {
    const std::scoped_lock lock(mutex_);
    object->id_ = id;
    object->generation_ = ++last_generation_;
    object->tag_ = ours;
    const Kind kind = object->kind();
    shelf(kind).objects.insert_or_assign(id, std::move(object));
    patrol(kind, dead);
  }
  bury(std::move(dead));
}

Ref<Object> Objects::find(Kind kind, std::uint32_t id) {
  const std::shared_lock lock(mutex_);
  const auto found = shelf(kind).objects.find(id);
  return Ref<Object>(found == shelf(kind).objects.end() ? nullptr : found->second.get());
}

Ref<Object> Objects::find(const Identity& identity) {
  Ref<Object> object = find(identity.kind, identity.id);
  return object && same_tag(identity, object->tag()) ? std::move(object) : Ref<Object>();
}

Ref<Object> Objects::find(Kind kind, maps::Reference reference) {
  Ref<Object> object = find(kind, reference.id);
  return object && object->reference() == reference ? std::move(object) : Ref<Object>();
}

Ref<Object> Objects::get(Kind kind, std::uint32_t id) {
  Ref<Object> object;
  Dead dead;
  {
    const std::scoped_lock lock(mutex_);
    const auto found = shelf(kind).objects.find(id);
    if (found != shelf(kind).objects.end() && !dies(*found->second, dead)) object = Ref<Object>(found->second.get());
  }
  bury(std::move(dead));
  return object;
}

std::uint32_t Objects::next(Kind kind, std::uint32_t start) {
  Dead dead;
  std::uint32_t found = 0;
  {
    const std::scoped_lock lock(mutex_);
    auto& objects = shelf(kind).objects;
    for (auto at = objects.upper_bound(start); at != objects.end() && found == 0; at = objects.upper_bound(start)) {
      start = at->first;
      if (!dies(*at->second, dead)) found = start;
    }
  }
  bury(std::move(dead));
  return found;
}

Result<Fd> Objects::open(Object& object) {
  tag();  // a fork's child counts serials from elsewhere
  for (;;) {
    std::uint32_t serial = 0;
    {
      const std::scoped_lock lock(mutex_);
      serial = ++last_serial_;
    }
    Result<Ends> ends = make_ends({.kind = object.kind(), .tag = object.tag(), .id = object.id()}, serial);
    if (!ends && ends.error().code == EADDRINUSE) continue;
    if (!ends) return std::unexpected(std::move(ends.error()));
    const std::scoped_lock lock(mutex_);
    object.ends_.push_back(std::move(ends->hive));
    return std::move(ends->user);
  }
}

Objects::FileId Objects::id_of(int file) noexcept {
  struct stat status{};
  return ::fstat(file, &status) == 0 ? FileId{status.st_dev, status.st_ino} : FileId{};
}

Result<> Objects::pin(Object& object, const std::function<Result<Fd>()>& make) {
  const std::scoped_lock lock(mutex_);
  TRY(Fd file, make());
  pinned_.insert_or_assign(id_of(file.get()), &object);
  object.pins_.push_back(std::move(file));
  return {};
}

Ref<Object> Objects::pinned(int file) {
  const FileId id = id_of(file);
  const std::shared_lock lock(mutex_);
  const auto found = pinned_.find(id);
  return Ref<Object>(found == pinned_.end() ? nullptr : found->second);
}

// Lets go of the files that have no name any more.
bool Objects::is_pinned(Object& object) noexcept {
  std::erase_if(object.pins_, [this](const Fd& file) {
    struct stat status{};
    if (::fstat(file.get(), &status) != 0 || status.st_nlink != 0) return false;
    pinned_.erase({status.st_dev, status.st_ino});
    return true;
  });
  return !object.pins_.empty();
}

// By somebody else than another object.
bool Objects::is_used(Object& object) noexcept {
  return object.refs_.load() != 0 || object.open() || is_pinned(object);
}

int Objects::exchange(Object& holder, Object* added, Kind kind, const std::function<Replaced()>& change) {
  Dead dead;
  Replaced result;
  {
    const std::scoped_lock lock(mutex_);
    result = change();
    if (result.error != 0) return result.error;
    if (added != nullptr) {
      ++holder.held_[added];
      ++added->holders_[&holder];
    }
    const auto old = shelf(kind).objects.find(result.old.id);
    if (old != shelf(kind).objects.end() && old->second->reference() == result.old) release(holder, *old->second);
  }
  return 0;
}

void Objects::hold(Object& holder, Object& held) {
  const std::scoped_lock lock(mutex_);
  ++holder.held_[&held];
  ++held.holders_[&holder];
}

bool Objects::is_held(const Object& held, bool (*by)(const Object& holder)) {
  const std::shared_lock lock(mutex_);
  return std::ranges::any_of(held.holders_, [by](const auto& entry) { return by(*entry.first); });
}

void Objects::release(Object& holder, Object& held) {
  const auto out = holder.held_.find(&held);
  if (out == holder.held_.end()) return;
  if (--out->second == 0) holder.held_.erase(out);
  const auto in = held.holders_.find(&holder);
  if (--in->second == 0) held.holders_.erase(in);
}

// Whether nothing keeps the object; then it is removed. Its holders are asked first: they may be dead themselves.
bool Objects::dies(Object& object, Dead& dead) {
  if (object.examined_) return false;
  object.examined_ = true;
  std::vector<Object*> holders;
  for (const auto& [holder, times] : object.holders_) holders.push_back(holder);
  for (Object* holder : holders) {
    if (!object.holders_.contains(holder)) continue;
    if (holder->lets_go() && !is_used(*holder)) {
      holder->let_go();
      while (!holder->held_.empty()) {
        Object& held = *holder->held_.begin()->first;
        while (holder->held_.contains(&held)) release(*holder, held);
      }
    }
    if (object.holders_.contains(holder)) dies(*holder, dead);
  }
  object.examined_ = false;
  if (!object.holders_.empty() || is_used(object)) return false;
  remove(object, dead);
  return true;
}

void Objects::remove(Object& object, Dead& dead) {
  while (!object.held_.empty()) {
    Object& held = *object.held_.begin()->first;
    while (object.held_.contains(&held)) release(object, held);
  }
  auto& objects = shelf(object.kind()).objects;
  const auto at = objects.find(object.id());
  dead.push_back(std::move(at->second));
  objects.erase(at);
}

void Objects::patrol(Kind kind, Dead& dead) {
  Shelf& at = shelf(kind);
  for (unsigned i = 0; i < kExaminedInPassing; ++i) {
    auto next = at.objects.upper_bound(at.patrol);
    if (next == at.objects.end()) next = at.objects.begin();
    if (next == at.objects.end()) return;
    at.patrol = next->first;
    dies(*next->second, dead);
  }
}

void Objects::bury(Dead dead) {
  for (std::shared_ptr<Object>& object : dead) {
    forget_(*object);
    epochs_.retire(std::move(object));
  }
}

std::size_t Objects::count(Kind kind) const {
  const std::shared_lock lock(mutex_);
  return shelf(kind).objects.size();
}

}  // namespace skep::hive
