// What a hive consists of, and its objects. Internal to this folder.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "btf/btf.h"
#include "btf/record.h"
#include "exec/doors.h"
#include "exec/executable.h"
#include "hive/bpffs.h"
#include "hive/elements.h"
#include "hive/hive.h"
#include "hive/objects.h"
#include "hive/perf_output.h"
#include "hive/socket_name.h"
#include "isa/insn.h"
#include "maps/domain.h"
#include "maps/kinds.h"
#include "maps/map.h"
#include "runtime/object_cache.h"
#include "runtime/run.h"
#include "runtime/system_host.h"
#include "spec/info.h"
#include "spec/uapi.h"
#include "spec/verify.h"

namespace skep::hive {

class BtfObject final : public Object {
 public:
  explicit BtfObject(btf::Btf parsed) : Object(Kind::Btf), types(std::move(parsed)) {}
  const btf::Btf types;
};

// Which programs a prog array, or a dev or cpu map, takes: those like the first one that came near it.
struct ProgOwner {
  spec::ProgType type = spec::ProgType::Unspec;
  std::uint32_t attach_type = 0;  // prog arrays ask
  bool jited = false;
  bool xdp_has_frags = false;
  friend bool operator==(const ProgOwner&, const ProgOwner&) = default;
};

class MapObject final : public Object {
 public:
  MapObject() : Object(Kind::Map) {}
  // Frees the memory of a map that clients have mapped: they may keep the mapping (wire/local_maps.h).
  ~MapObject() override;
  bool open() noexcept override { return has_users(map->memfd()); }
  bool lets_go() const noexcept override { return map->spec().type == spec::MapType::ProgArray; }
  void let_go() noexcept override;
  ElementMap elements(Access access = Access::ReadWrite) const noexcept { return {*map, fields, access}; }

  std::unique_ptr<maps::Map> map;
  const maps::Kind* kind = nullptr;    // the map's row of maps/kinds.def
  std::optional<spec::MapSpec> inner;  // template of a map of maps
  BtfObject* btf = nullptr;            // held
  // What in a value is more than data, and in those of the template's. Only helpers may touch it: system calls write
  // and see zeros there.
  std::vector<btf::SpecialField> fields, inner_fields;
  std::uint64_t inode = 0;             // of the memory file
  bool is_guarded = false;             // spec::MapView's
  std::atomic<bool> is_shared{false};  // with clients
  std::mutex mutex;                    // guards what follows
  std::optional<ProgOwner> owner;
  struct Listener {
    Fd fd;
    std::shared_ptr<PerfOutput> event;  // null: another's
  };
  std::unordered_map<std::uint32_t, Listener> listeners;  // of perf events or cgroups, by the id in their slot
  std::unordered_map<std::uint64_t, SocketName> sockets;  // of a map of sockets, by cookie
  std::uint32_t last_listener = 0;
};

// What a program is bound with: hive/bind.h.
struct Binding {
  Engine engine = Engine::Checked;
  jit::Options compiling = {};
  bool masks_indices = false;
};

class ProgObject final : public Object {
 public:
  ProgObject() : Object(Kind::Prog) {}

  spec::ProgType type = spec::ProgType::Unspec;
  std::uint32_t attach_type = 0;
  std::uint32_t flags = 0;
  std::string name;
  bool enforces_attach_type = false;  // spec::VerifiedProgram's
  bool gpl = false;
  std::array<std::uint8_t, 8> tag_bytes{};
  std::uint64_t load_time = 0;  // nanoseconds since boot
  std::uint32_t uid = 0;
  std::uint32_t verified_insns = 0;
  std::shared_ptr<const exec::Executable> code;  // null: no engine here can run it
  std::string obstacle;                          // why not
  std::string engine_note;                       // why it is not the engine asked for; or empty
  std::vector<isa::Insn> translated;             // as it is shown: maps by id
  std::vector<std::uint32_t> starts;             // of its functions, by translated instruction
  std::vector<spec::TargetFunction> functions;   // for programs that attach to it
  BtfObject* btf = nullptr;                      // held
  std::uint32_t attach_btf_id = 0;               // a function of `target`, or else of the kernel; 0: none
  ProgObject* target = nullptr;                  // held
  std::vector<spec::FuncInfo> funcs;             // by translated instruction
  std::vector<spec::LineInfo> lines;             // by translated instruction
  std::uint32_t read_buffer_end = 0;             // spec::VerifiedProgram's
  std::uint32_t write_buffer_end = 0;
  Binding binding;
  std::shared_ptr<const exec::Source> source;  // for programs that extend it, or that it extends; or null
  std::atomic<bool> was_attached{false};       // an extension
  struct Extension {
    std::uint32_t function = 0;     // its number
    std::uint32_t link = 0;         // an id
    ProgObject* program = nullptr;  // held by the link
  };
  std::atomic<bool> is_extended{false};              // by any; asked with the table's lock held
  std::mutex extensions_mutex;                       // guards what follows: hive/extension.h
  std::vector<Extension> extensions;                 // that are attached to this program
  std::shared_ptr<const exec::Executable> extended;  // what runs then
  std::mutex mutex;                                  // guards maps
  std::vector<MapObject*> maps;                      // held; those the instructions name first
  mutable runtime::Counters counters;

  ProgOwner owner() const;
};

struct Iterator;

// A program at work: it goes through a hive's objects (hive/iterator.h), or stands for a function of another program
// (hive/extension.h).
class LinkObject final : public Object {
 public:
  LinkObject(const Iterator& of, MapObject* its_map)
      : Object(Kind::Link), type(spec::LinkType::Iter), iterator(&of), map(its_map) {}
  LinkObject(ProgObject& its_target, std::uint32_t function)
      : Object(Kind::Link), type(spec::LinkType::Tracing), target(&its_target), btf_id(function) {}
  const spec::LinkType type;
  const Iterator* const iterator = nullptr;
  MapObject* const map = nullptr;      // held; whose elements; or null
  ProgObject* const target = nullptr;  // held; of an extension
  const std::uint32_t btf_id = 0;      // its function

  Ref<ProgObject> program() const {
    const std::scoped_lock lock(mutex_);
    return Ref<ProgObject>(program_);
  }
  // The one that was there before; null at first. Whoever sets it sees to who holds it.
  ProgObject* set_program(ProgObject* program) {
    const std::scoped_lock lock(mutex_);
    return std::exchange(program_, program);
  }

 private:
  mutable std::mutex mutex_;
  ProgObject* program_ = nullptr;  // held
};

struct State {
  State(Options chosen, std::unique_ptr<maps::Domain> its_domain);
  ~State();

  // What programs reach through slots: the surroundings the hive was given, with its own objects.
  class Host final : public exec::Host {
   public:
    Host(State& hive, exec::Host& outer) : hive_(hive), outer_(outer) {}
    std::uint64_t now(exec::Clock clock) noexcept override { return outer_.now(clock); }
    std::uint32_t random() noexcept override { return outer_.random(); }
    exec::Generator* generator() noexcept override { return outer_.generator(); }
    std::uint64_t pid_tgid() noexcept override { return outer_.pid_tgid(); }
    std::uint64_t uid_gid() noexcept override { return outer_.uid_gid(); }
    void comm(char (&name)[16]) noexcept override { outer_.comm(name); }
    void trace(std::string_view line) noexcept override { outer_.trace(line); }
    int perf_event(maps::Map& map, std::uint64_t index, Bytes record) noexcept override;
    int clone_to(std::uint32_t ifindex, bool ingress, Bytes packet) noexcept override {
      return outer_.clone_to(ifindex, ingress, packet);
    }
    const exec::Executable* program(maps::Reference reference) noexcept override;
    maps::Map* map(maps::Reference reference) noexcept override;

   private:
    State& hive_;
    exec::Host& outer_;
  };

  // Answers the cache's misses from the object table.
  struct MapSource final : runtime::ObjectCache<maps::Map>::Source {
    explicit MapSource(Objects& table) : objects(table) {}
    std::shared_ptr<maps::Map> find(maps::Reference reference) noexcept override;
    Objects& objects;
  };
  struct ProgSource final : runtime::ObjectCache<const exec::Executable>::Source {
    explicit ProgSource(Objects& table) : objects(table) {}
    std::shared_ptr<const exec::Executable> find(maps::Reference reference) noexcept override;
    Objects& objects;
  };

  void forget(const Object& object) noexcept;
  // Looks how many of the descriptors that ask for statistics are still open. Commands that show or make runs do.
  void count_statistics() noexcept;
  // The event in a slot of an array of perf events; null: none of the hive's.
  std::shared_ptr<PerfOutput> listening(const maps::Map& map, maps::Reference slot) noexcept;
  // The kernel's types, Options::kernel_btf, read when first asked for; null when they cannot be. Tens of milliseconds
  // and about twice the file's bytes then, nothing later.
  const btf::Btf* kernel_btf() noexcept;

  Options options;
  std::unique_ptr<maps::Domain> domain;
  runtime::Epochs epochs;
  runtime::Surroundings surroundings{*domain, epochs};
  runtime::SystemHost system;
  Bpffs bpffs;
  PerfOutputs perf_outputs;
  Objects objects;
  MapSource map_source{objects};
  ProgSource prog_source{objects};
  runtime::ObjectCache<maps::Map> map_cache{epochs, map_source};
  runtime::ObjectCache<const exec::Executable> prog_cache{epochs, prog_source};
  Host host;
  std::mutex statistics_mutex;
  std::vector<Fd> statistics_ends;           // the hive's, of the descriptors that BPF_ENABLE_STATS gave out
  std::atomic<std::uint64_t> iterations{0};  // that BPF_ITER_CREATE began
  std::mutex shared_sockets_mutex;
  std::unordered_map<std::uint64_t, std::uint32_t> shared_sockets;  // cookie to the id of a reuseport array
  std::mutex inode_mutex;
  std::unordered_map<std::uint64_t, std::uint32_t> map_inodes;  // memory file to map id

 private:
  std::once_flag kernel_btf_once_;
  std::optional<btf::Btf> kernel_btf_;
};

}  // namespace skep::hive
