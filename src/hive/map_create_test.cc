// BPF_MAP_CREATE beyond what maps/ checks (sizes, flags): names, BTF, inner maps, access; and what a descriptor then
// is.

#include "base/errno.h"
#include "hive/testing.h"

namespace skep::hive::testing {
namespace {

using spec::Command;
using spec::MapType;

long create(Bpf& bpf, Fds& fds, const MapShape& shape) { return fds.keep(create_map(bpf, shape)); }

long named(Bpf& bpf, Fds& fds, const char (&name)[17]) {
  spec::Attr attr = map_attr({});
  std::memcpy(attr.map_create.map_name, name, 16);
  return fds.keep(bpf(Command::MapCreate, attr));
}

long with(Bpf& bpf, Fds& fds, const MapShape& shape, const std::function<void(spec::AttrMapCreate&)>& change) {
  spec::Attr attr = map_attr(shape);
  change(attr.map_create);
  return fds.keep(bpf(Command::MapCreate, attr));
}

TEST(MapCreate, NamesAndFields) {
  judge({
      {"no name", 0, [](Bpf& b, Fds& f) { return create(b, f, {}); }},
      {"fifteen characters", 0, [](Bpf& b, Fds& f) { return create(b, f, {.name = "a_b.C0123456789"}); }},
      {"sixteen characters", -EINVAL, [](Bpf& b, Fds& f) { return named(b, f, "abcdefghijklmnop"); }},
      {"a dash", -EINVAL, [](Bpf& b, Fds& f) { return create(b, f, {.name = "a-b"}); }},
      {"a blank", -EINVAL, [](Bpf& b, Fds& f) { return create(b, f, {.name = "a b"}); }},
      {"letters of Latin-1", 0, [](Bpf& b, Fds& f) { return create(b, f, {.name = "\xc0\xff"}); }},
      {"a sign of Latin-1", -EINVAL, [](Bpf& b, Fds& f) { return create(b, f, {.name = "\xd7"}); }},
      {"another", -EINVAL, [](Bpf& b, Fds& f) { return create(b, f, {.name = "\xf7"}); }},
      {"a byte before its letters", -EINVAL, [](Bpf& b, Fds& f) { return create(b, f, {.name = "\xbf"}); }},
      {"bytes behind the end of the name", 0,
       [](Bpf& b, Fds& f) { return named(b, f, "ab\0cd\0\0\0\0\0\0\0\0\0\0\0"); }},
      {"unknown type", -EINVAL, [](Bpf& b, Fds& f) { return create(b, f, {.type = MapType{999}}); }},
      {"type 0", -EINVAL, [](Bpf& b, Fds& f) { return create(b, f, {.type = MapType::Unspec}); }},
      {"no entries", -EINVAL, [](Bpf& b, Fds& f) { return create(b, f, {.entries = 0}); }},
      {"map_extra without a meaning", -EINVAL,
       [](Bpf& b, Fds& f) { return with(b, f, {}, [](auto& a) { a.map_extra = 1; }); }},
      {"both one-sided accesses", -EINVAL,
       [](Bpf& b, Fds& f) { return create(b, f, {.flags = spec::kRdonly | spec::kWronly}); }},
      {"a device that takes no maps", -EOPNOTSUPP,
       [](Bpf& b, Fds& f) { return with(b, f, {.type = MapType::Hash}, [](auto& a) { a.map_ifindex = 1; }); }},
      {"an LRU hash on a device", -EINVAL,
       [](Bpf& b, Fds& f) { return with(b, f, {.type = MapType::LruHash}, [](auto& a) { a.map_ifindex = 1; }); }},
      {"an offload device that is not there", -EINVAL,
       [](Bpf& b, Fds& f) { return with(b, f, {.type = MapType::Hash}, [](auto& a) { a.map_ifindex = 100000; }); }},
      {"kernel value type of an ordinary map", -EINVAL,
       [](Bpf& b, Fds& f) { return with(b, f, {}, [](auto& a) { a.btf_vmlinux_value_type_id = 1; }); }},
      {"key type without value type", -EINVAL,
       [](Bpf& b, Fds& f) { return with(b, f, {}, [](auto& a) { a.btf_key_type_id = 1; }); }},
      {"a token flag without a token", -EBADF,
       [](Bpf& b, Fds& f) {
         return with(b, f, {}, [](auto& a) { a.map_flags = spec::kTokenFd, a.map_token_fd = kNoFd; });
       }},
      {"memory node that is not there", -EINVAL,
       [](Bpf& b, Fds& f) {
         return with(b, f, {}, [](auto& a) { a.map_flags = spec::kNumaNode, a.numa_node = 4000; });
       }},
  });
}

TEST(MapCreate, InnerMaps) {
  const auto outer = [](MapType type, long inner) {
    return MapShape{.type = type, .value = 4, .inner = static_cast<int>(inner)};
  };
  judge({
      {"array of arrays", 0,
       [&](Bpf& b, Fds& f) { return create(b, f, outer(MapType::ArrayOfMaps, create(b, f, {}))); }},
      {"hash of hashes", 0,
       [&](Bpf& b, Fds& f) { return create(b, f, outer(MapType::HashOfMaps, create(b, f, {.type = MapType::Hash}))); }},
      {"no inner map", -EBADF, [&](Bpf& b, Fds& f) { return create(b, f, outer(MapType::ArrayOfMaps, kNoFd)); }},
      {"an inner map that is none", -EINVAL,
       [&](Bpf& b, Fds& f) {
         return create(b, f, outer(MapType::ArrayOfMaps, f.keep(::open("/dev/null", O_RDONLY))));
       }},
      {"three levels", -EINVAL,
       [&](Bpf& b, Fds& f) {
         const long middle = create(b, f, outer(MapType::ArrayOfMaps, create(b, f, {})));
         return create(b, f, outer(MapType::ArrayOfMaps, middle));
       }},
      {"array of prog arrays", -kNotSupported,
       [&](Bpf& b, Fds& f) {
         const long inner = create(b, f, {.type = MapType::ProgArray, .value = 4});
         return create(b, f, outer(MapType::ArrayOfMaps, inner));
       }},
      {"values that are no descriptors", -EINVAL,
       [&](Bpf& b, Fds& f) {
         return create(b, f, {.type = MapType::ArrayOfMaps, .value = 8, .inner = static_cast<int>(create(b, f, {}))});
       }},
  });
}

// BTF with an int (1), a structure of 8 bytes with an int pair (2), a section of a variable (4) and a 2-byte int (5).
long types(Bpf& bpf, Fds& fds) {
  BtfBuilder btf;
  const std::uint32_t word = btf.integer("int", 4);
  btf.add("pair", 4, 2, 8, {0, word, 0, 0, word, 32});
  btf.add("globals", 14, 0, word, {1});
  btf.add(".data", 15, 1, 8, {3, 0, 4});
  btf.integer("short", 2);
  return fds.keep(load_btf(bpf, btf.bytes()));
}

long typed(Bpf& bpf, Fds& fds, const MapShape& shape, std::uint32_t key, std::uint32_t value) {
  return with(bpf, fds, shape, [&](auto& a) {
    a.btf_fd = static_cast<std::uint32_t>(types(bpf, fds));
    a.btf_key_type_id = key;
    a.btf_value_type_id = value;
  });
}

TEST(MapCreate, Types) {
  judge({
      {"array of pairs", 0, [](Bpf& b, Fds& f) { return typed(b, f, {}, 1, 2); }},
      {"hash of pairs by pairs", 0,
       [](Bpf& b, Fds& f) { return typed(b, f, {.type = MapType::Hash, .key = 8}, 2, 2); }},
      {"globals", 0, [](Bpf& b, Fds& f) { return typed(b, f, {.entries = 1}, 0, 4); }},
      {"globals of several elements", -EINVAL, [](Bpf& b, Fds& f) { return typed(b, f, {.entries = 2}, 0, 4); }},
      {"keyless but no section", -EINVAL, [](Bpf& b, Fds& f) { return typed(b, f, {.entries = 1}, 0, 2); }},
      {"keyless hash", -EINVAL, [](Bpf& b, Fds& f) { return typed(b, f, {.type = MapType::Hash}, 0, 2); }},
      {"key of another size", -EINVAL, [](Bpf& b, Fds& f) { return typed(b, f, {}, 5, 2); }},
      {"value of another size", -EINVAL, [](Bpf& b, Fds& f) { return typed(b, f, {}, 1, 1); }},
      {"value type that is not there", -EINVAL, [](Bpf& b, Fds& f) { return typed(b, f, {}, 1, 77); }},
      {"array keys that are no words", -EINVAL, [](Bpf& b, Fds& f) { return typed(b, f, {.key = 8}, 2, 2); }},
      {"trie keys that are no structure", -EINVAL,
       [](Bpf& b, Fds& f) {
         return typed(b, f, {.type = MapType::LpmTrie, .key = 8, .flags = spec::kNoPrealloc}, 2, 2) < 0
                    ? -EPERM
                    : typed(b, f, {.type = MapType::LpmTrie, .key = 5, .flags = spec::kNoPrealloc}, 1, 2);
       }},
      {"a device map", -kNotSupported, [](Bpf& b, Fds& f) { return typed(b, f, {.type = MapType::Devmap}, 1, 2); }},
      {"socket storage", 0,
       [](Bpf& b, Fds& f) {
         return typed(b, f, {.type = MapType::SkStorage, .entries = 0, .flags = spec::kNoPrealloc}, 1, 2);
       }},
      {"task storage, preallocated", -EINVAL,
       [](Bpf& b, Fds& f) { return typed(b, f, {.type = MapType::TaskStorage, .entries = 0}, 1, 2); }},
      {"inode storage with entries", -EINVAL,
       [](Bpf& b, Fds& f) {
         return typed(b, f, {.type = MapType::InodeStorage, .entries = 1, .flags = spec::kNoPrealloc}, 1, 2);
       }},
      {"cgroup storage, keys that are no words", -EINVAL,
       [](Bpf& b, Fds& f) {
         return typed(b, f, {.type = MapType::CgrpStorage, .entries = 0, .flags = spec::kNoPrealloc}, 5, 2);
       }},
      {"stacks", -kNotSupported, [](Bpf& b, Fds& f) { return typed(b, f, {.type = MapType::StackTrace}, 1, 2); }},
      {"no BTF", -EBADF,
       [](Bpf& b, Fds& f) {
         return with(b, f, {}, [](auto& a) { a.btf_fd = kNoFd, a.btf_key_type_id = 1, a.btf_value_type_id = 2; });
       }},
      {"a BTF that is a map", -EINVAL,
       [](Bpf& b, Fds& f) {
         return with(b, f, {}, [&](auto& a) {
           a.btf_fd = static_cast<std::uint32_t>(create(b, f, {})), a.btf_key_type_id = 1, a.btf_value_type_id = 2;
         });
       }},
  });
}

// Maps of functions for the kernel to call: the value's type is the kernel's.
TEST(MapCreate, StructuresOfFunctions) {
  const std::uint32_t id = kernel_type("bpf_struct_ops_tcp_congestion_ops", btf::Kind::Struct);
  if (id == 0) GTEST_SKIP() << "no types of the kernel";
  const std::uint32_t size = *kernel_types()->size_of(id);
  const auto of = [](std::uint32_t type, std::uint32_t bytes, std::uint32_t entries = 1, std::uint32_t flags = 0) {
    return [=](Bpf& b, Fds& f) {
      return with(b, f, {.type = MapType::StructOps, .value = bytes, .entries = entries, .flags = flags}, [&](auto& a) {
        a.btf_vmlinux_value_type_id = type;
        a.btf_fd = static_cast<std::uint32_t>(types(b, f));
      });
    };
  };
  judge({
      {"congestion control", 0, of(id, size)},
      {"with a link", 0, of(id, size, 1, spec::kLink)},
      {"two", -EINVAL, of(id, size, 2)},
      {"another size", -EINVAL, of(id, size + 1)},
      {"no type", -EINVAL, of(0, size)},
      {"a type that is none", -kNotSupported, of(1, 4)},
      {"a type that is not there", -kNotSupported, of(0xffff0, 4)},
      {"flags", -EINVAL, of(id, size, 1, spec::kNoPrealloc)},
      {"no BTF of the program", -EBADF,
       [=](Bpf& b, Fds& f) {
         return with(b, f, {.type = MapType::StructOps, .value = size, .entries = 1},
                     [=](auto& a) { a.btf_vmlinux_value_type_id = id, a.btf_fd = kNoFd; });
       }},
      {"of another map", -EINVAL,
       [=](Bpf& b, Fds& f) { return with(b, f, {}, [=](auto& a) { a.btf_vmlinux_value_type_id = id; }); }},
      {"of a module that is none", -EBADF,
       [=](Bpf& b, Fds& f) {
         return with(b, f, {.type = MapType::StructOps, .value = size, .entries = 1, .flags = spec::kVtypeBtfObjFd},
                     [=](auto& a) { a.btf_vmlinux_value_type_id = id, a.value_type_btf_obj_fd = kNoFd; });
       }},
      {"a hash with a module's type", -EINVAL,
       [](Bpf& b, Fds& f) { return create(b, f, {.type = MapType::Hash, .flags = spec::kVtypeBtfObjFd}); }},
  });
}

// Of such a map that nobody gave to the kernel.
TEST(MapCreate, TheElementOfAStructureOfFunctions) {
  const std::uint32_t id = kernel_type("bpf_struct_ops_tcp_congestion_ops", btf::Kind::Struct);
  if (id == 0) GTEST_SKIP() << "no types of the kernel";
  const std::uint32_t size = *kernel_types()->size_of(id);
  const auto make = [=](Bpf& b, Fds& f, std::uint32_t flags) {
    return with(b, f, {.type = MapType::StructOps, .value = size, .entries = 1, .flags = flags}, [&](auto& a) {
      a.btf_vmlinux_value_type_id = id;
      a.btf_fd = static_cast<std::uint32_t>(types(b, f));
    });
  };
  const auto on = [=](std::uint32_t flags, Command command, std::uint32_t key, std::uint64_t first,
                      std::uint64_t elem_flags = 0) {
    return [=](Bpf& b, Fds& f) {
      std::vector<std::uint64_t> value(size / 8 + 1);
      value[0] = first;
      spec::Attr attr = elem_attr(make(b, f, flags), &key, value.data(), elem_flags);
      const long result = b(command, attr);
      const bool clear = command != Command::MapLookupElem || result != 0 || value[0] == 0;
      return clear ? result : -EPROTO;
    };
  };
  const auto next = [=](std::optional<std::uint32_t> key) {
    return [=](Bpf& b, Fds& f) {
      std::uint32_t found = 77;
      spec::Attr attr = elem_attr(make(b, f, 0), key ? &*key : nullptr, &found);
      const long result = b(Command::MapGetNextKey, attr);
      return result == 0 && found != 0 ? -EPROTO : result;
    };
  };
  judge({
      {"reads as zeros", 0, on(0, Command::MapLookupElem, 0, 7)},
      {"another", -ENOENT, on(0, Command::MapLookupElem, 1, 0)},
      {"read with a lock", -EINVAL, on(0, Command::MapLookupElem, 0, 0, spec::kLock)},
      {"read with a flag", -EINVAL, on(0, Command::MapLookupElem, 0, 0, 64)},
      {"cannot be taken back", -ENOENT, on(0, Command::MapDeleteElem, 0, 0)},
      {"another can no less", -ENOENT, on(0, Command::MapDeleteElem, 5, 0)},
      {"one for a link never", -EOPNOTSUPP, on(spec::kLink, Command::MapDeleteElem, 0, 0)},
      {"given with a flag", -EINVAL, on(0, Command::MapUpdateElem, 0, 0, spec::kNoExist)},
      {"another given", -E2BIG, on(0, Command::MapUpdateElem, 1, 0)},
      {"given with a state", -EINVAL, on(0, Command::MapUpdateElem, 0, 1ULL << 32)},
      {"given with a count", -EINVAL, on(0, Command::MapUpdateElem, 0, 1)},
      {"first key", 0, next(std::nullopt)},
      {"after the only one", -ENOENT, next(0)},
      {"after one that is none", 0, next(9)},
  });
}

// What each map type says to types of its keys and values, asked of the kernel and of the hive.
TEST(MapCreate, TypesOfEveryMapType) {
  if (!KernelBpf::here()) GTEST_SKIP() << "no bpf(2) here";
  const MapShape shapes[] = {
      {.type = MapType::Hash},
      {.type = MapType::ProgArray, .value = 4},
      {.type = MapType::PercpuHash},
      {.type = MapType::PerfEventArray, .value = 4},
      {.type = MapType::PercpuArray},
      {.type = MapType::Cpumap, .value = 4, .entries = 1},
      {.type = MapType::LruHash},
      {.type = MapType::DevmapHash, .value = 4},
      {.type = MapType::Queue, .key = 0},
  };
  KernelBpf kernel;
  HiveBpf hive;
  for (const MapShape& shape : shapes) {
    for (const std::uint32_t key : {0U, 1U}) {
      Fds fds;
      const std::uint32_t value = shape.value == 4 ? 1 : 2;
      const long want = typed(kernel, fds, shape, key, value);
      const long got = typed(hive, fds, shape, key, value);
      EXPECT_EQ(got < 0 ? got : 0, want < 0 ? want : 0) << spec::name(shape.type) << " key type " << key;
    }
  }
}

TEST(MapCreate, AccessOfDescriptors) {
  judge({
      {"read a write-only map", -EPERM,
       [](Bpf& b, Fds& f) {
         const long map = create(b, f, {.flags = spec::kWronly});
         std::uint32_t key = 0;
         std::uint64_t value = 0;
         spec::Attr attr = elem_attr(map, &key, &value);
         return b(Command::MapLookupElem, attr);
       }},
      {"write it", 0,
       [](Bpf& b, Fds& f) { return update(b, create(b, f, {.flags = spec::kWronly}), 0U, std::uint64_t{1}); }},
      {"write a read-only map", -EPERM,
       [](Bpf& b, Fds& f) { return update(b, create(b, f, {.flags = spec::kRdonly}), 0U, std::uint64_t{1}); }},
      {"delete from it", -EPERM,
       [](Bpf& b, Fds& f) { return erase(b, create(b, f, {.type = MapType::Hash, .flags = spec::kRdonly}), 0U); }},
      {"freeze a read-only map", -EPERM,
       [](Bpf& b, Fds& f) {
         spec::Attr attr{};
         attr.elem.map_fd = static_cast<std::uint32_t>(create(b, f, {.flags = spec::kRdonly}));
         return b(Command::MapFreeze, attr);
       }},
  });
}

long freeze(Bpf& bpf, long map) {
  spec::Attr attr{};
  attr.elem.map_fd = static_cast<std::uint32_t>(map);
  return bpf(Command::MapFreeze, attr);
}

TEST(MapFreeze, StopsWritesAndHappensOnce) {
  if (kHosted) GTEST_SKIP() << "this process has the host's mapping as well";
  judge({
      {"freeze", 0, [](Bpf& b, Fds& f) { return freeze(b, create(b, f, {})); }},
      {"no map", -EBADF, [](Bpf& b, Fds&) { return freeze(b, kNoFd); }},
      {"values with a lock", -kNotSupported,
       [](Bpf& b, Fds& f) {
         BtfBuilder btf;
         const std::uint32_t word = btf.integer("int", 4);
         const std::uint32_t lock = btf.add("bpf_spin_lock", 4, 1, 4, {0, word, 0});
         const std::uint32_t value = btf.add("value", 4, 2, 8, {0, lock, 0, 0, word, 32});
         return freeze(b, with(b, f, {}, [&](auto& a) {
                         a.btf_fd = static_cast<std::uint32_t>(f.keep(load_btf(b, btf.bytes())));
                         a.btf_key_type_id = word, a.btf_value_type_id = value;
                       }));
       }},
      {"again", -EPERM,
       [](Bpf& b, Fds& f) {
         const long map = create(b, f, {});
         freeze(b, map);
         return freeze(b, map);
       }},
      {"then write", -EPERM,
       [](Bpf& b, Fds& f) {
         const long map = create(b, f, {});
         freeze(b, map);
         return update(b, map, 0U, std::uint64_t{1});
       }},
      {"then read", 0,
       [](Bpf& b, Fds& f) {
         const long map = create(b, f, {});
         freeze(b, map);
         return lookup<std::uint64_t>(b, map, 0U) ? 0L : -1L;
       }},
      {"while mapped writable", -EBUSY,
       [](Bpf& b, Fds& f) {
         const long map = create(b, f, {.flags = spec::kMmapable});
         void* at = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, static_cast<int>(map), 0);
         const long result = at == MAP_FAILED ? -1 : freeze(b, map);
         ::munmap(at, 4096);
         return result;
       }},
      {"while mapped for reading", 0,
       [](Bpf& b, Fds& f) {
         const long map = create(b, f, {.flags = spec::kMmapable});
         void* at = ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, static_cast<int>(map), 0);
         const long result = at == MAP_FAILED ? -1 : freeze(b, map);
         ::munmap(at, 4096);
         return result;
       }},
  });
}

TEST(MapCreate, AnMmapableMapIsItsOwnMemory) {
  for (const bool on_kernel : {false, true}) {
    if (on_kernel && !KernelBpf::here()) continue;
    std::unique_ptr<Bpf> bpf;
    if (on_kernel) bpf = std::make_unique<KernelBpf>();
    if (!on_kernel) bpf = std::make_unique<HiveBpf>();
    Fds fds;
    const long map = create(*bpf, fds, {.flags = spec::kMmapable});
    auto* values = static_cast<std::uint64_t*>(
        ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, static_cast<int>(map), 0));
    ASSERT_NE(values, MAP_FAILED);
    ASSERT_EQ(update(*bpf, map, 2U, std::uint64_t{77}), 0);
    EXPECT_EQ(values[2], 77U);
    values[3] = 78;
    EXPECT_EQ(lookup<std::uint64_t>(*bpf, map, 3U), 78U);
    ::munmap(values, 4096);
  }
}

TEST(MapCreate, DescriptorsAreCloseOnExecAndKnown) {
  HiveBpf bpf;
  Fds fds;
  const int map = static_cast<int>(create(bpf, fds, {}));
  EXPECT_NE(::fcntl(map, F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_TRUE(Hive::owns(map));
  EXPECT_FALSE(Hive::owns(0));
  EXPECT_FALSE(Hive::owns(kNoFd));
  HiveBpf other;
  EXPECT_TRUE(bpf.hive->holds(map));
  EXPECT_FALSE(other.hive->holds(map));
  EXPECT_FALSE(bpf.hive->holds(0));
  EXPECT_EQ(update(other, map, 0U, std::uint64_t{1}), -EINVAL) << "a map of another hive";
}

TEST(MapCreate, RingBuffersHaveAWakeUpDescriptor) {
  HiveBpf bpf;
  Fds fds;
  const int ring =
      static_cast<int>(create(bpf, fds, {.type = MapType::Ringbuf, .key = 0, .value = 0, .entries = 4096}));
  ASSERT_GE(ring, 0) << Hive::last_error();
  EXPECT_GE(bpf.hive->wakeup(ring).value_or(Wakeup{}).event, 0);
  EXPECT_FALSE(bpf.hive->wakeup(static_cast<int>(create(bpf, fds, {}))).has_value());
}

}  // namespace
}  // namespace skep::hive::testing
