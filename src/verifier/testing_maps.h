// For tests: maps that programs name ("r1 = map[ring]"), made in the running kernel and described to verify().
//
// Each is made when first asked for. Those whose values have more than data bear BTF: "locks" a counter and a lock,
// "timers" a timer, "kptrs" references to a task. "format" is frozen and holds strings, see kStrings.
#pragma once

#include <algorithm>
#include <cstring>
#include <deque>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "btf/btf.h"
#include "btf/record.h"
#include "btf/testing_builder.h"
#include "btf/testing_kernel.h"
#include "isa/asm.h"
#include "spec/attr.h"
#include "spec/commands.h"
#include "spec/helpers.h"
#include "spec/verify.h"

namespace skep::verifier::testing {

// The kernel's types; null where it does not show them.
inline const btf::Btf* kernel_types() {
  static const std::optional<btf::Btf> types = [] {
    std::ifstream file("/sys/kernel/btf/vmlinux", std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    auto parsed = btf::Btf::parse(std::as_bytes(std::span(bytes)), nullptr, {.attribute_tags = true});
    return parsed ? std::optional(*std::move(parsed)) : std::nullopt;
  }();
  return types ? &*types : nullptr;
}

inline long command(spec::Command which, spec::Attr& attr) {
  return btf::testing::kernel_bpf(static_cast<std::uint32_t>(which), &attr, sizeof attr);
}

// Strings in the map "format", each at a multiple of 16; the last is not terminated.
inline constexpr std::string_view kStrings[] = {"%d %s", "%llx", "%z", "plain", "\x01"};
inline constexpr std::uint32_t kStringBytes = 16;

enum class MapContent : std::uint8_t { Data, Number, Lock, Timer, Kptr };
struct MapShape {
  std::string_view name;
  spec::MapType type;
  std::uint32_t key_size, value_size, max_entries;
  std::uint32_t flags = 0;
  std::string_view inner = {};
  MapContent content = MapContent::Data;
};
inline constexpr MapShape kMapShapes[] = {
    {"array", spec::MapType::Array, 4, 48, 16},
    {"one", spec::MapType::Array, 4, 64, 1},
    {"hash", spec::MapType::Hash, 8, 48, 16},
    {"lru", spec::MapType::LruHash, 8, 48, 16},
    {"percpu", spec::MapType::PercpuArray, 4, 16, 4},
    {"progs", spec::MapType::ProgArray, 4, 4, 8},
    {"events", spec::MapType::PerfEventArray, 4, 4, 8},
    {"stacks", spec::MapType::StackTrace, 4, 16, 8},
    {"cgroups", spec::MapType::CgroupArray, 4, 4, 1},
    {"trie", spec::MapType::LpmTrie, 8, 16, 8, spec::kNoPrealloc},
    {"devs", spec::MapType::Devmap, 4, 4, 8},
    {"cpus", spec::MapType::Cpumap, 4, 4, 1},
    {"xsks", spec::MapType::Xskmap, 4, 4, 8},
    {"sockmap", spec::MapType::Sockmap, 4, 4, 8},
    {"sockhash", spec::MapType::Sockhash, 4, 4, 8},
    {"reuseport", spec::MapType::ReuseportSockarray, 4, 8, 8},
    {"queue", spec::MapType::Queue, 0, 16, 8},
    {"bloom", spec::MapType::BloomFilter, 0, 16, 8},
    {"ring", spec::MapType::Ringbuf, 0, 0, 4096},
    {"user_ring", spec::MapType::UserRingbuf, 0, 0, 4096},
    {"arena", spec::MapType::Arena, 0, 0, 16, spec::kMmapable},
    {"other_arena", spec::MapType::Arena, 0, 0, 16, spec::kMmapable},
    {"arena_nowhere", spec::MapType::Arena, 0, 0, 16, spec::kMmapable},
    {"read_only", spec::MapType::Array, 4, 48, 1, spec::kRdonlyProg},
    {"write_only", spec::MapType::Array, 4, 48, 1, spec::kWronlyProg},
    {"format", spec::MapType::Array, 4, kStringBytes* std::size(kStrings), 1, spec::kRdonlyProg},
    {"many_formats", spec::MapType::Array, 4, kStringBytes, 2, spec::kRdonlyProg},
    {"outer", spec::MapType::ArrayOfMaps, 4, 4, 8, 0, "array"},
    {"locks", spec::MapType::Array, 4, 8, 8, 0, {}, MapContent::Lock},
    {"timers", spec::MapType::Array, 4, 24, 8, 0, {}, MapContent::Timer},
    {"outer_timers", spec::MapType::ArrayOfMaps, 4, 4, 8, 0, "timers"},
    {"kptrs", spec::MapType::Array, 4, 16, 8, 0, {}, MapContent::Kptr},
    {"sk_storage", spec::MapType::SkStorage, 4, 4, 0, spec::kNoPrealloc, {}, MapContent::Number},
    {"task_storage", spec::MapType::TaskStorage, 4, 4, 0, spec::kNoPrealloc, {}, MapContent::Number},
    // Those of the examples, smaller.
    {"bal_ring", spec::MapType::Array, 4, 4, 251},
    {"bal_rings", spec::MapType::ArrayOfMaps, 4, 4, 2, 0, "bal_ring"},
    {"bal_outcomes", spec::MapType::PercpuArray, 4, 8, 7},
    {"bal_services", spec::MapType::Hash, 20, 16, 64},
    {"bal_backends", spec::MapType::Hash, 4, 24, 64},
    {"bal_connections", spec::MapType::LruHash, 40, 4, 64},
    {"bal_rodata", spec::MapType::Array, 4, 10, 1, spec::kRdonlyProg},
    {"fw_counters", spec::MapType::PercpuArray, 4, 16, 9},
    {"fw_blocked4", spec::MapType::LpmTrie, 8, 16, 64, spec::kNoPrealloc},
    {"fw_blocked6", spec::MapType::LpmTrie, 20, 16, 64, spec::kNoPrealloc},
    {"fw_buckets", spec::MapType::LruHash, 16, 24, 64},
    {"fw_rodata", spec::MapType::Array, 4, 33, 1, spec::kRdonlyProg},
    {"fw_bss", spec::MapType::Array, 4, 16, 1},
    {"sh_policies", spec::MapType::Hash, 16, 8, 64},
    {"sh_windows", spec::MapType::Hash, 16, 16, 64},
    {"sh_waiting", spec::MapType::LruHash, 36, 8, 64},
    {"sh_types", spec::MapType::Hash, 2, 8, 64},
    {"sh_rodata", spec::MapType::Array, 4, 16, 1, spec::kRdonlyProg},
    {"sh_bss", spec::MapType::Array, 4, 8, 1},
    {"th_flows", spec::MapType::Hash, 16, 24, 64, spec::kNoPrealloc},
    {"th_rodata", spec::MapType::Array, 4, 8, 1, spec::kRdonlyProg},
    {"tt_scratches", spec::MapType::PercpuArray, 4, 44, 1},
    {"tt_flows", spec::MapType::LruHash, 40, 40, 64},
    {"tt_hosts", spec::MapType::PercpuHash, 16, 16, 64},
    {"tt_protocols", spec::MapType::Array, 4, 16, 4},
    {"tt_rodata", spec::MapType::Array, 4, 40, 1, spec::kRdonlyProg},
    {"tt_bss", spec::MapType::Array, 4, 48, 1},
};

class Maps {
 public:
  static Maps& get() {
    static Maps maps;
    return maps;
  }

  struct Made {
    Fd fd;
    spec::MapView view;
    std::vector<btf::SpecialField> fields;
    std::vector<std::byte> bytes;
  };
  // Null when there is no such map, or the kernel does not make it.
  const Made* find(std::string_view name) {
    const auto known = made_.find(name);
    if (known != made_.end()) return known->second;
    const auto shape = std::ranges::find(kMapShapes, name, &MapShape::name);
    return shape == std::end(kMapShapes) ? nullptr : (made_[std::string(name)] = make(*shape));
  }

 private:
  static constexpr std::uint32_t kInt = 1;  // every type below begins with it
  static std::vector<std::byte> types_of(MapContent value, std::uint32_t& id) {
    btf::testing::Builder b;
    const std::uint32_t number = id = b.add_int("int", 4, btf::kSigned);
    if (value == MapContent::Lock) {
      const std::uint32_t lock = b.add_struct("bpf_spin_lock", 4, {{"val", number, 0}});
      id = b.add_struct("guarded", 8, {{"count", number, 0}, {"lock", lock, 32}});
    } else if (value == MapContent::Timer) {
      const std::uint32_t wide = b.add_int("__u64", 8);
      const std::uint32_t index = b.add_array(wide, number, 2);
      const std::uint32_t timer = b.add_struct("bpf_timer", 16, {{"__opaque", index, 0}});
      id = b.add_struct("timed", 24, {{"count", wide, 0}, {"timer", timer, 64}});
    } else if (value == MapContent::Kptr) {
      const std::uint32_t task = b.add_struct("task_struct", 4, {{"state", number, 0}});
      const std::uint32_t tagged = b.add(btf::Kind::TypeTag, "kptr", task);
      const std::uint32_t untrusted = b.add(btf::Kind::TypeTag, "kptr_untrusted", task);
      const std::uint32_t strong = b.add(btf::Kind::Ptr, "", tagged), weak = b.add(btf::Kind::Ptr, "", untrusted);
      id = b.add_struct("holder", 16, {{"task", strong, 0}, {"weak", weak, 64}});
    }
    return b.bytes();
  }

  // The kernel keeps the types as long as the map.
  Fd load_types(const MapShape& shape, Made& made, spec::AttrMapCreate& create) {
    if (shape.content == MapContent::Data) return Fd();
    const std::vector<std::byte> bytes = types_of(shape.content, create.btf_value_type_id);
    spec::Attr attr{};
    attr.btf_load.btf = reinterpret_cast<std::uint64_t>(bytes.data());
    attr.btf_load.btf_size = static_cast<std::uint32_t>(bytes.size());
    Fd fd(static_cast<int>(command(spec::Command::BtfLoad, attr)));
    create.btf_fd = static_cast<std::uint32_t>(fd.get());
    create.btf_key_type_id = kInt;
    types_.push_back(btf::Btf::parse(bytes).value());
    made.view.btf = &types_.back();
    made.fields = btf::special_fields(types_.back(), create.btf_value_type_id).value();
    made.view.fields = made.fields;
    return fd;
  }

  void freeze(const MapShape& shape, Made& made) {
    made.bytes.resize(shape.value_size);
    for (std::size_t i = 0; i < std::size(kStrings) && (i + 1) * kStringBytes <= shape.value_size; ++i) {
      const bool last = i + 1 == std::size(kStrings);
      if (last) std::memset(made.bytes.data() + i * kStringBytes, 'x', kStringBytes);
      std::memcpy(made.bytes.data() + i * kStringBytes, kStrings[i].data(), kStrings[i].size());
    }
    const std::uint32_t key = 0;
    spec::Attr attr{};
    attr.elem.map_fd = static_cast<std::uint32_t>(made.fd.get());
    attr.elem.key = reinterpret_cast<std::uint64_t>(&key);
    attr.elem.value = reinterpret_cast<std::uint64_t>(made.bytes.data());
    command(spec::Command::MapUpdateElem, attr);
    spec::Attr frozen{};
    frozen.elem.map_fd = attr.elem.map_fd;
    command(spec::Command::MapFreeze, frozen);
    made.view.is_frozen = true;
    if (shape.max_entries == 1) made.view.frozen = made.bytes;
  }

  const Made* make(const MapShape& shape) {
    Made& made = all_.emplace_back();
    spec::Attr attr{};
    spec::AttrMapCreate& create = attr.map_create;
    create.map_type = static_cast<std::uint32_t>(shape.type);
    create.key_size = shape.key_size, create.value_size = shape.value_size, create.max_entries = shape.max_entries;
    create.map_flags = shape.flags;
    const bool is_mapped_arena = shape.name.ends_with("arena");
    if (is_mapped_arena) create.map_extra = std::uint64_t{1} << 44;
    shape.name.copy(create.map_name, sizeof create.map_name - 1);
    const Fd types = load_types(shape, made, create);
    if (!shape.inner.empty()) {
      const Made* inner = find(shape.inner);
      if (inner == nullptr) return nullptr;
      create.inner_map_fd = static_cast<std::uint32_t>(inner->fd.get());
      made.view.inner = &inner->view;
    }
    made.fd = Fd(static_cast<int>(command(spec::Command::MapCreate, attr)));
    if (!made.fd) return nullptr;
    made.view.spec = {.type = shape.type,
                      .key_size = shape.key_size,
                      .value_size = shape.value_size,
                      .max_entries = shape.max_entries,
                      .flags = shape.flags,
                      .name = std::string(shape.name),
                      .btf_value_type = create.btf_value_type_id};
    // What a lookup in it gives is the device itself, which programs may not change.
    if (shape.type == spec::MapType::Devmap) made.view.spec.flags |= spec::kRdonlyProg;
    made.view.has_direct_value = (shape.type == spec::MapType::Array && shape.max_entries == 1) || is_mapped_arena;
    if (shape.name.ends_with("format") || shape.name.ends_with("formats")) freeze(shape, made);
    return &made;
  }

  std::deque<Made> all_;
  std::deque<btf::Btf> types_;
  std::map<std::string, const Made*, std::less<>> made_;
};

// A program with the maps its text names, filled in.
struct Assembled {
  std::vector<isa::Insn> insns;
  std::vector<spec::MapView> maps;
  std::vector<spec::MapUse> uses;
  std::vector<isa::Label> labels;
  std::string problem;  // why not; empty if all is well
};

class HelperNames : public isa::Symbols {
 public:
  std::optional<std::int32_t> helper(std::string_view name) const override {
    const spec::Helper* found = spec::find_helper(name);
    return found ? std::optional(static_cast<std::int32_t>(found->id)) : std::nullopt;
  }
  std::optional<std::int32_t> kfunc(std::string_view name) const override {
    const auto found = kernel_types() == nullptr ? std::nullopt : kernel_types()->find(name, btf::Kind::Func);
    return found ? std::optional(static_cast<std::int32_t>(*found)) : std::nullopt;
  }
};

inline Assembled assemble(std::string_view text) {
  Assembled made;
  const auto result = isa::assemble(text, HelperNames());
  if (!result) return made.problem = result.error().message, made;
  made.insns = result->insns;
  made.labels = result->labels;
  std::vector<std::string> names;
  for (const isa::Reference& reference : result->references) {
    if (reference.kind != isa::Reference::Kind::MapName) continue;
    const Maps::Made* map = Maps::get().find(reference.name);
    if (map == nullptr) return made.problem = "no map " + reference.name, made;
    const auto at = std::ranges::find(names, reference.name);
    const auto index = static_cast<std::uint32_t>(at - names.begin());
    if (at == names.end()) {
      names.push_back(reference.name);
      made.maps.push_back(map->view);
    }
    made.insns[reference.insn].imm = map->fd.get();
    made.uses.push_back({static_cast<std::uint32_t>(reference.insn), index, map->fd.get(), 0});
  }
  return made;
}

}  // namespace skep::verifier::testing
