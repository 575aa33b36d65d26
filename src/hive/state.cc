#include "hive/state.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exec/failure.h"
#include "hive/extension.h"

namespace skep::hive {
namespace {

// A file of no known size (sysfs says nothing reliable), up to what BTF may have; empty when it cannot be read.
std::vector<std::byte> read_file(const std::string& path) {
  std::vector<std::byte> bytes;
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return bytes;
  constexpr std::size_t kStep = std::size_t{1} << 20;
  for (std::size_t end = 0; end <= btf::kMaxBytes;) {
    bytes.resize(end + kStep);
    const ssize_t got = ::read(file.get(), bytes.data() + end, kStep);
    if (got < 0) return {};
    end += static_cast<std::size_t>(got);
    bytes.resize(end);
    if (got == 0) return bytes;
  }
  return {};
}

}  // namespace

MapObject::~MapObject() {
  struct stat status{};
  if (!is_shared || ::fstat(map->memfd(), &status) != 0) return;
  ::fallocate(map->memfd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, status.st_size);
}

void MapObject::let_go() noexcept {
  std::uint32_t key = 0;
  for (; key < map->spec().max_entries; ++key)
    map->set_reference(reinterpret_cast<const std::byte*>(&key), {}, 0, nullptr);
}

ProgOwner ProgObject::owner() const {
  return {.type = type, .attach_type = attach_type, .jited = false, .xdp_has_frags = (flags & spec::kXdpHasFrags) != 0};
}

State::State(Options chosen, std::unique_ptr<maps::Domain> its_domain)
    : options(std::move(chosen)),
      domain(std::move(its_domain)),
      bpffs(options.bpffs),
      objects(epochs, [this](const Object& object) { forget(object); }),
      host(*this, options.host != nullptr ? *options.host : system) {}

// What runs of extended programs keeps objects that the table may destroy first.
State::~State() {
  for (std::uint32_t id = 0; (id = objects.next(Kind::Prog, id)) != 0;)
    if (const Ref<Object> object = objects.find(Kind::Prog, id); object)
      static_cast<ProgObject&>(*object).extended = nullptr;
}

void State::forget(const Object& object) noexcept {
  if (object.kind() == Kind::Link) detach_extension(*this, static_cast<const LinkObject&>(object));
  if (object.kind() == Kind::Prog) prog_cache.forget(object.reference());
  if (object.kind() != Kind::Map) return;
  map_cache.forget(object.reference());
  const std::scoped_lock lock(inode_mutex);
  map_inodes.erase(static_cast<const MapObject&>(object).inode);
}

std::shared_ptr<PerfOutput> State::listening(const maps::Map& map, maps::Reference slot) noexcept {
  if (!perf_outputs.any()) return nullptr;
  const Ref<Object> object = objects.find(Kind::Map, std::to_underlying(map.id()));
  if (!object) return nullptr;
  auto& array = static_cast<MapObject&>(*object);
  const std::scoped_lock lock(array.mutex);
  const auto found = array.listeners.find(slot.id);
  return found != array.listeners.end() ? found->second.event : nullptr;
}

void State::count_statistics() noexcept {
  const std::scoped_lock lock(statistics_mutex);
  std::erase_if(statistics_ends, [](const Fd& end) { return hung_up(end.get()); });
  surroundings.statistics.store(static_cast<int>(statistics_ends.size()), std::memory_order_relaxed);
}

const btf::Btf* State::kernel_btf() noexcept {
  std::call_once(kernel_btf_once_, [this] {
    if (options.kernel_btf.empty()) return;
    Result<btf::Btf> types = btf::Btf::parse(read_file(options.kernel_btf), nullptr, {.attribute_tags = true});
    if (types) kernel_btf_.emplace(*std::move(types));
  });
  return kernel_btf_ ? &*kernel_btf_ : nullptr;
}

// The table keeps an object until it was forgotten, and then its runs have a section's time: nothing to hold on to.
std::shared_ptr<maps::Map> State::MapSource::find(maps::Reference reference) noexcept {
  const Ref<Object> object = objects.find(Kind::Map, reference);
  return {std::shared_ptr<void>(), object ? static_cast<MapObject&>(*object).map.get() : nullptr};
}

std::shared_ptr<const exec::Executable> State::ProgSource::find(maps::Reference reference) noexcept {
  const Ref<Object> object = objects.find(Kind::Prog, reference);
  return {std::shared_ptr<void>(), object ? static_cast<ProgObject&>(*object).code.get() : nullptr};
}

const exec::Executable* State::Host::program(maps::Reference reference) noexcept {
  return hive_.prog_cache.find(reference);
}
maps::Map* State::Host::map(maps::Reference reference) noexcept { return hive_.map_cache.find(reference); }

int State::Host::perf_event(maps::Map& map, std::uint64_t index, Bytes record) noexcept {
  const auto key = static_cast<std::uint32_t>(index);
  if (index >= map.spec().max_entries) return -E2BIG;
  const maps::Reference slot = map.reference(reinterpret_cast<const std::byte*>(&key));
  if (slot == maps::Reference{}) return -ENOENT;
  if (const std::shared_ptr<PerfOutput> event = hive_.listening(map, slot)) return event->write(record);
  return outer_.perf_event(map, index, record);
}

}  // namespace skep::hive
