#include "wire/local_maps.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <span>

#include "hive/descriptor.h"
#include "spec/commands.h"
#include "wire/client.h"

namespace skep::wire {
namespace {

using spec::Command;

bool may_be_local(int command) noexcept {
  switch (static_cast<Command>(command)) {
    case Command::MapLookupElem:
    case Command::MapGetNextKey:
    case Command::MapUpdateElem:
    case Command::MapDeleteElem:
    case Command::MapLookupAndDeleteElem: return true;
    default: return false;
  }
}

bool only_reads(Command command) noexcept {
  return command == Command::MapLookupElem || command == Command::MapGetNextKey;
}

// Of fields that are more than data and a lock, the hive must know when their value goes.
bool is_data(std::span<const btf::SpecialField> fields) noexcept {
  return std::ranges::all_of(fields,
                             [](const btf::SpecialField& field) { return field.kind == btf::Special::SpinLock; });
}

spec::MapSpec spec_of(const SharedMap& what) {
  return {.type = static_cast<spec::MapType>(what.type),
          .key_size = what.key_size,
          .value_size = what.value_size,
          .max_entries = what.max_entries,
          .flags = what.flags,
          .extra = what.extra};
}

std::vector<btf::SpecialField> fields_of(const SharedMap& what) {
  std::vector<btf::SpecialField> fields;
  for (std::uint32_t i = 0; i < what.fields && i < btf::kMaxSpecialFields; ++i) {
    const SharedMap::Field& field = what.field[i];
    if (field.offset > what.value_size || field.bytes > what.value_size - field.offset) continue;
    fields.push_back({.kind = field.is_lock != 0 ? btf::Special::SpinLock : btf::Special::Timer,
                      .offset = field.offset,
                      .bytes = field.bytes});
  }
  return fields;
}

// Counts those who may hold an entry.
class Inside {
 public:
  explicit Inside(std::atomic<unsigned>& count) noexcept : count_(count) { count_.fetch_add(1); }
  ~Inside() { count_.fetch_sub(1); }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

 private:
  std::atomic<unsigned>& count_;
};

}  // namespace

LocalMaps::~LocalMaps() {
  for (std::atomic<Entry*>& slot : entries_) delete slot.load();
  delete domain_.load();
}

std::optional<long> LocalMaps::run(hive::Caller& caller, int command, std::uint64_t address,
                                   std::uint32_t size) noexcept {
  spec::Attr attr{};
  if (!may_be_local(command) || size > sizeof attr) return std::nullopt;
  if (!caller.copy_in(address, std::as_writable_bytes(std::span(&attr, 1)).first(size))) return std::nullopt;
  const auto which = static_cast<Command>(command);
  if (!spec::known_fields_only(which, attr) || !hive::known_element_flags(which, attr.elem)) return std::nullopt;
  const auto fd = static_cast<int>(attr.elem.map_fd);
  const std::optional<hive::Identity> identity = hive::from_position(caller.position(fd));
  if (!identity) return std::nullopt;
  const Inside inside(inside_);
  if (dropping_.load()) return std::nullopt;
  const Entry* entry = find(identity->tag << 32 | identity->id, caller, fd);
  if (entry == nullptr || entry->map == nullptr) return std::nullopt;
  if (!only_reads(which) && !is_data(entry->fields)) return std::nullopt;
  hive::PlainChanges changes;
  return hive::element_command(which, attr.elem, caller, {*entry->map, entry->fields, identity->access}, changes);
}

const LocalMaps::Entry* LocalMaps::look_up(std::uint64_t key) const noexcept {
  for (std::size_t i = 0; i < kProbes; ++i) {
    const Entry* entry = entries_[(key + i) % kMost].load(std::memory_order_acquire);
    if (entry != nullptr && entry->key == key) return entry;
  }
  return nullptr;
}

// The entry of a map, made when it is not there; null when there is no place for it.
const LocalMaps::Entry* LocalMaps::find(std::uint64_t key, hive::Caller& caller, int fd) noexcept {
  if (const Entry* entry = look_up(key)) return entry;
  const Fd of_map = caller.descriptor(fd);
  if (!of_map) return nullptr;
  Result<Client::Shared> shared = client_.share(of_map.get());
  if (!shared && shared.error().code != EOPNOTSUPP) return nullptr;
  std::unique_ptr<Entry> made(new (std::nothrow) Entry{.key = key, .map = nullptr, .fields = {}});
  maps::Domain* of_hive = shared ? domain(shared->what.hive) : nullptr;
  if (made && of_hive != nullptr) {
    Result<std::unique_ptr<maps::Map>> map =
        maps::Map::open(*of_hive, std::move(shared->memory), spec_of(shared->what));
    if (map) made->map = *std::move(map);
    made->fields = fields_of(shared->what);
    if (const auto lock = hive::spin_lock_in(made->fields); made->map && lock) made->map->set_value_lock(*lock);
  }
  return made ? enter(std::move(made)) : nullptr;
}

const LocalMaps::Entry* LocalMaps::enter(std::unique_ptr<Entry> entry) noexcept {
  for (int again = 0; again < 2; ++again) {
    for (std::size_t i = 0; i < kProbes; ++i) {
      Entry* nobody = nullptr;
      if (!entries_[(entry->key + i) % kMost].compare_exchange_strong(nobody, entry.get())) continue;
      return entry.release();
    }
    if (!drop_all()) break;
  }
  return nullptr;
}

// Empties the table if this thread is the only one inside. Whoever comes in meanwhile sees dropping_ and leaves.
bool LocalMaps::drop_all() noexcept {
  if (dropping_.exchange(true)) return false;
  const bool alone = inside_.load() == 1;
  if (alone)
    for (std::atomic<Entry*>& slot : entries_) delete slot.exchange(nullptr);
  dropping_.store(false);
  return alone;
}

// The domain of the hive; null when it cannot be shared, or is that of a host before this one.
maps::Domain* LocalMaps::domain(std::uint64_t hive) noexcept {
  if (maps::Domain* known = domain_.load()) return hive_.load() == hive ? known : nullptr;
  Result<Fd> memory = client_.domain();
  if (!memory) return nullptr;
  Result<std::unique_ptr<maps::Domain>> made = maps::Domain::open(*std::move(memory));
  if (!made) return nullptr;
  std::uint64_t none = 0;
  if (!hive_.compare_exchange_strong(none, hive) && none != hive) return nullptr;
  maps::Domain* nobody = nullptr;
  if (!domain_.compare_exchange_strong(nobody, made->get())) return nobody;
  return made->release();
}

}  // namespace skep::wire
