#include "hive/hive.h"

#include <fcntl.h>
#include <unistd.h>

#include "hive/elements.h"
#include "hive/extension.h"
#include "hive/request.h"
#include "maps/ring_map.h"
#include "maps/user_ring_map.h"

namespace skep::hive {

Result<std::unique_ptr<Hive>> Hive::create(Options options) {
  TRY(std::unique_ptr<maps::Domain> domain, maps::Domain::create());
  return std::unique_ptr<Hive>(new Hive(std::make_shared<State>(std::move(options), std::move(domain))));
}

Hive::Hive(std::shared_ptr<State> state) : state_(std::move(state)) {}
Hive::~Hive() = default;

bool Hive::owns(int fd) noexcept {
  if (from_position(::lseek(fd, 0, SEEK_CUR))) return ::fcntl(fd, F_GET_SEALS) > 0;
  return from_socket(fd).has_value();
}

bool Hive::holds(int fd) const noexcept {
  LocalCaller here;
  return find_map(*state_, here, fd).object || find_prog(*state_, here, fd).object ||
         find_btf(*state_, here, fd).object || find_link(*state_, here, fd).object;
}

namespace {

// Keeps an object of the hive, and the hive, for somebody outside of it.
template <class T>
struct Kept {
  std::shared_ptr<State> hive;  // outlives the reference
  Ref<T> object;
};

template <class T>
std::shared_ptr<Kept<T>> keep(const std::shared_ptr<State>& hive, Ref<T> object) {
  return std::make_shared<Kept<T>>(Kept<T>{hive, std::move(object)});
}

}  // namespace

Result<Hive::Program> Hive::program(int fd) const {
  LocalCaller here;
  Found<ProgObject> found = find_prog(*state_, here, fd);
  if (!found.object) return fail(found.error, "descriptor " + std::to_string(fd) + " is no program of this hive");
  ProgObject* object = found.object.get();
  if (!object->code) return fail(EOPNOTSUPP, "no engine here can run this program: " + object->obstacle);
  struct Code {
    std::shared_ptr<Kept<ProgObject>> object;
    std::shared_ptr<const exec::Executable> runs;
  };
  auto code = std::make_shared<Code>(Code{.object = {}, .runs = running(*state_, *object)});
  code->object = keep(state_, std::move(found.object));
  const exec::Executable* runs = code->runs.get();
  return Program{.id = spec::ProgId{object->id()},
                 .code = std::shared_ptr<const exec::Executable>(std::move(code), runs),
                 .counters = &object->counters,
                 .note = object->engine_note};
}

Result<std::shared_ptr<maps::Map>> Hive::map(int fd) const {
  LocalCaller here;
  Found<MapObject> found = find_map(*state_, here, fd);
  if (!found.object) return fail(found.error, "descriptor " + std::to_string(fd) + " is no map of this hive");
  maps::Map* map = found.object->map.get();
  return std::shared_ptr<maps::Map>(keep(state_, std::move(found.object)), map);
}

Result<Hive::SharedMap> Hive::share(int map_fd) const {
  LocalCaller here;
  const Found<MapObject> found = find_map(*state_, here, map_fd);
  if (!found.object) return fail(found.error, "descriptor " + std::to_string(map_fd) + " is no map of this hive");
  MapObject& map = *found.object;
  if (!is_plain(map.map->spec())) return fail(EOPNOTSUPP, "the map's elements are more than bytes");
  // A user may map it himself, and map_freeze asks whether he has.
  if (map.map->mmap_bytes() != 0) return fail(EOPNOTSUPP, "the map is for mmap");
  Fd memory(::fcntl(map.map->memfd(), F_DUPFD_CLOEXEC, 0));
  if (!memory) return fail(errno, "no descriptor for a map's memory");
  map.is_shared = true;
  return SharedMap{.memory = std::move(memory), .spec = map.map->spec(), .fields = map.fields};
}

Result<std::string> Hive::bpffs() { return state_->bpffs.folder(); }
maps::Domain& Hive::domain() noexcept { return *state_->domain; }
exec::Host& Hive::host() noexcept { return state_->host; }
runtime::SystemHost& Hive::system() noexcept { return state_->system; }

std::uint64_t Hive::run(const Program& program, exec::Call& call) noexcept {
  return runtime::run(state_->surroundings, *program.code, call, *program.counters);
}

Result<Wakeup> Hive::wakeup(int fd) const {
  if (const auto event = state_->perf_outputs.find(fd, state_->objects.tag())) return event->wakeup();
  TRY(const std::shared_ptr<maps::Map> found, map(fd));
  const std::uint64_t bytes = found->spec().max_entries;
  if (const auto* ring = dynamic_cast<const maps::RingMap*>(found.get()))
    return Wakeup{.event = ring->wakeup_fd(), .waits_for = WaitsFor::Records, .bytes = bytes};
  if (const auto* ring = dynamic_cast<const maps::UserRingMap*>(found.get()))
    return Wakeup{.event = ring->wakeup_fd(), .waits_for = WaitsFor::Room, .bytes = bytes};
  return fail(EINVAL, "descriptor " + std::to_string(fd) + " is no ring buffer");
}

Result<Fd> Hive::open_perf_output(const PerfOutputSpec& spec) {
  return state_->perf_outputs.open(spec, state_->objects.tag());
}

}  // namespace skep::hive
