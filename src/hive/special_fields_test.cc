// Values with locks, timers and kptrs: which maps take them, what BPF_F_LOCK does, what copies show. All of it is asked
// of the running kernel too.
#include <array>

#include "base/bytes.h"
#include "base/errno.h"
#include "hive/testing.h"
#include "maps/map.h"

namespace skep::hive::testing {
namespace {

using spec::Command;
using spec::MapType;

enum class Field : std::uint8_t { None, Lock, Timer, Wq, Kptr, TwoTimers };

// 40 bytes; what is special lies at kAt and has 4, 8 or 16 of them.
using Value = std::array<std::uint32_t, 10>;
constexpr std::uint32_t kAt = 8;
constexpr Value kOne{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, kTwo{2, 2, 2, 2, 2, 2, 2, 2, 2, 2};

struct Member {
  const char* name;
  std::uint32_t type, offset;
};
std::uint32_t add_struct(BtfBuilder& btf, const char* name, std::uint32_t bytes, const std::vector<Member>& members) {
  std::vector<std::uint32_t> words;
  for (const Member& member : members)
    words.insert(words.end(), {btf.string(member.name), member.type, member.offset * 8});
  return btf.add(name, 4, static_cast<unsigned>(members.size()), bytes, words);
}

struct Types {
  std::uint32_t word, prefix, value;
};
Types add_types(BtfBuilder& btf, Field field) {
  const std::uint32_t word = btf.integer("int", 4);
  const std::uint32_t wide = btf.integer("__u64", 8, 0);
  const std::uint32_t lock = add_struct(btf, "bpf_spin_lock", 4, {{"val", word, 0}});
  const std::uint32_t timer = add_struct(btf, "bpf_timer", 16, {{"a", wide, 0}, {"b", wide, 8}});
  const std::uint32_t wq = add_struct(btf, "bpf_wq", 16, {{"a", wide, 0}, {"b", wide, 8}});
  const std::uint32_t task = add_struct(btf, "task_struct", 8, {{"x", wide, 0}});
  const std::uint32_t tag = btf.add("kptr_untrusted", 18, 0, task);
  const std::uint32_t kptr = btf.add("", 2, 0, tag);
  const std::uint32_t prefix = add_struct(btf, "prefix", 8, {{"length", word, 0}, {"data", word, 4}});
  const std::uint32_t special[] = {word, lock, timer, wq, kptr, timer};
  std::vector<Member> members = {{"a", word, 0}, {"special", special[static_cast<std::size_t>(field)], kAt}};
  if (field == Field::TwoTimers) members.push_back({"another", timer, kAt + 16});
  return {word, prefix, add_struct(btf, "value", sizeof(Value), members)};
}

long create(Bpf& bpf, Fds& fds, MapType type, Field field, std::uint32_t flags = 0) {
  BtfBuilder btf;
  const Types types = add_types(btf, field);
  const bool trie = type == MapType::LpmTrie;
  spec::Attr attr = map_attr({.type = type, .key = trie ? 8U : 4U, .value = sizeof(Value), .flags = flags});
  if (trie) attr.map_create.map_flags |= spec::kNoPrealloc;
  attr.map_create.btf_fd = static_cast<std::uint32_t>(fds.keep(load_btf(bpf, btf.bytes())));
  attr.map_create.btf_key_type_id = trie ? types.prefix : types.word;
  attr.map_create.btf_value_type_id = types.value;
  return fds.keep(bpf(Command::MapCreate, attr));
}

Case creation(const char* name, long expected, MapType type, Field field, std::uint32_t flags = 0) {
  return {name, expected, [=](Bpf& bpf, Fds& fds) { return create(bpf, fds, type, field, flags); }};
}

constexpr std::array kTypes = {MapType::Array,   MapType::PercpuArray,   MapType::Hash,   MapType::PercpuHash,
                               MapType::LruHash, MapType::LruPercpuHash, MapType::LpmTrie};

TEST(SpecialFields, WhichMapTypesTakeThem) {
  constexpr long kNo = -EOPNOTSUPP;
  struct Row {
    const char* name;
    Field field;
    std::array<long, kTypes.size()> expected;
  };
  const Row rows[] = {
      {"nothing special", Field::None, {0, 0, 0, 0, 0, 0, 0}},
      {"a lock", Field::Lock, {0, kNo, 0, kNo, kNo, kNo, kNo}},
      {"a timer", Field::Timer, {0, kNo, 0, kNo, 0, kNo, kNo}},
      {"a work queue", Field::Wq, {0, kNo, 0, kNo, 0, kNo, kNo}},
      {"a kptr", Field::Kptr, {0, 0, 0, 0, 0, 0, kNo}},
      {"two timers, which are none", Field::TwoTimers, {0, 0, 0, 0, 0, 0, 0}},
  };
  for (const Row& row : rows)
    for (std::size_t i = 0; i < kTypes.size(); ++i) {
      SCOPED_TRACE(spec::name(kTypes[i]));
      judge({creation(row.name, row.expected[i], kTypes[i], row.field)});
    }
}

TEST(SpecialFields, ProgramsMustReachThem) {
  judge({
      creation("a lock programs cannot write", -EACCES, MapType::Hash, Field::Lock, spec::kRdonlyProg),
      creation("a timer programs cannot read", -EACCES, MapType::Array, Field::Timer, spec::kWronlyProg),
      creation("refused for that before the map type", -EACCES, MapType::LruHash, Field::Lock, spec::kRdonlyProg),
      creation("data programs cannot write", 0, MapType::Hash, Field::None, spec::kRdonlyProg),
  });
}

// 0, or the negative errno.
long write(Bpf& bpf, long map, const Value& value, std::uint64_t flags) { return update(bpf, map, 1U, value, flags); }

// The sum of the words that are seen: 10 for what kOne wrote, but for what does not show.
long sum(Bpf& bpf, long map, std::uint64_t flags, Command command = Command::MapLookupElem) {
  const std::uint32_t key = 1;
  Value value{};
  spec::Attr attr = elem_attr(map, &key, &value, flags);
  if (const long error = bpf(command, attr); error != 0) return error;
  long total = 0;
  for (const std::uint32_t word : value) total += word;
  return total;
}

TEST(SpecialFields, LocksAreTakenWhereTheyAre) {
  for (const MapType type : {MapType::Array, MapType::Hash}) {
    SCOPED_TRACE(spec::name(type));
    judge({
        {"written and read", 18,
         [=](Bpf& b, Fds& f) {
           const long map = create(b, f, type, Field::Lock);
           EXPECT_EQ(write(b, map, kOne, 0), 0);
           EXPECT_EQ(write(b, map, kTwo, spec::kLock), 0);
           return sum(b, map, spec::kLock);
         }},
        {"an element that is there", -EEXIST,
         [=](Bpf& b, Fds& f) {
           const long map = create(b, f, type, Field::Lock);
           EXPECT_EQ(write(b, map, kOne, 0), 0);
           return write(b, map, kTwo, spec::kLock | spec::kNoExist);
         }},
        {"reading by a value without one", -EINVAL,
         [=](Bpf& b, Fds& f) { return sum(b, create(b, f, type, Field::Timer), spec::kLock); }},
        {"writing by a value without one", -EINVAL,
         [=](Bpf& b, Fds& f) { return write(b, create(b, f, type, Field::None), kOne, spec::kLock); }},
    });
  }
  judge({{"taken out of a hash", 9,
          [](Bpf& b, Fds& f) {
            const long map = create(b, f, MapType::Hash, Field::Lock);
            EXPECT_EQ(write(b, map, kOne, spec::kLock), 0);
            return sum(b, map, spec::kLock, Command::MapLookupAndDeleteElem);
          }},
         {"a batch", 0, [](Bpf& b, Fds& f) -> long {
            const long map = create(b, f, MapType::Array, Field::Lock);
            std::array<std::uint32_t, 4> keys = {0, 1, 2, 3};
            std::array<Value, 4> values = {kOne, kOne, kOne, kOne};
            std::uint64_t cursor = 0;
            spec::Attr attr{};
            attr.batch.map_fd = static_cast<std::uint32_t>(map);
            attr.batch.keys = address(keys.data());
            attr.batch.values = address(values.data());
            attr.batch.count = 4;
            attr.batch.elem_flags = spec::kLock;
            EXPECT_EQ(b(Command::MapUpdateBatch, attr), 0);
            attr.batch.count = 4;
            attr.batch.out_batch = address(&cursor);
            values = {};
            const long result = b(Command::MapLookupBatch, attr);
            EXPECT_EQ(values[3][0], 1U);
            EXPECT_EQ(values[3][kAt / 4], 0U);
            return result;
          }}});
}

TEST(SpecialFields, CopiesDoNotShowThem) {
  struct Row {
    Field field;
    MapType type;
    long seen;
  };
  const Row rows[] = {
      {Field::None, MapType::Hash, 10},      {Field::Lock, MapType::Hash, 9},     {Field::Lock, MapType::Array, 9},
      {Field::Kptr, MapType::Hash, 8},       {Field::Timer, MapType::Array, 6},   {Field::Timer, MapType::Hash, 6},
      {Field::Wq, MapType::Array, 6},        {Field::Timer, MapType::LruHash, 6}, {Field::Kptr, MapType::LruHash, 8},
      {Field::TwoTimers, MapType::Hash, 10},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(spec::name(row.type));
    judge({{"what was written, without it", row.seen,
            [&](Bpf& b, Fds& f) {
              const long map = create(b, f, row.type, row.field);
              EXPECT_EQ(write(b, map, kOne, 0), 0);
              EXPECT_EQ(write(b, map, kOne, 0), 0);
              return sum(b, map, 0);
            }},
           {"after a batch", row.seen, [&](Bpf& b, Fds& f) -> long {
              const long map = create(b, f, row.type, row.field);
              EXPECT_EQ(write(b, map, kOne, 0), 0);
              std::array<std::uint32_t, 4> keys{};
              std::array<Value, 4> values{};
              std::uint64_t cursor = 0;
              spec::Attr attr{};
              attr.batch.map_fd = static_cast<std::uint32_t>(map);
              attr.batch.keys = address(keys.data());
              attr.batch.values = address(values.data());
              attr.batch.out_batch = address(&cursor);
              attr.batch.count = 4;
              const long result = b(Command::MapLookupBatch, attr);
              EXPECT_TRUE(result == 0 || result == -ENOENT) << result;
              long total = 0;
              for (const Value& value : values)
                for (const std::uint32_t word : value) total += word;
              return total;
            }}});
  }
}

TEST(SpecialFields, EveryCpusValueIsCleared) {
  for (const MapType type : {MapType::PercpuArray, MapType::PercpuHash}) {
    judge({{"a kptr per CPU", 0, [=](Bpf& b, Fds& f) -> long {
              const long map = create(b, f, type, Field::Kptr);
              const std::uint32_t key = 1;
              std::vector<Value> values(1024, kOne);  // more than there are CPUs
              spec::Attr attr = elem_attr(map, &key, values.data());
              if (const long error = b(Command::MapUpdateElem, attr); error != 0) return error;
              std::vector<Value> seen(1024);
              attr = elem_attr(map, &key, seen.data());
              if (const long error = b(Command::MapLookupElem, attr); error != 0) return error;
              EXPECT_EQ(seen[0][0], 1U);
              for (const Value& value : seen) EXPECT_EQ(value[kAt / 4], 0U);
              return 0;
            }}});
  }
}

TEST(SpecialFields, InnerMapsHaveTheTemplates) {
  const auto put = [](Field wanted, Field given) {
    return [=](Bpf& b, Fds& f) {
      const long inner = create(b, f, MapType::Hash, wanted);
      const long outer = f.keep(
          create_map(b, {.type = MapType::ArrayOfMaps, .value = 4, .flags = 0, .inner = static_cast<int>(inner)}));
      return update(b, outer, 0U, static_cast<std::uint32_t>(create(b, f, MapType::Hash, given)));
    };
  };
  judge({
      {"the same", 0, put(Field::Lock, Field::Lock)},
      {"no lock", -EINVAL, put(Field::Lock, Field::None)},
      {"a lock", -EINVAL, put(Field::None, Field::Lock)},
      {"a timer for a lock", -EINVAL, put(Field::Lock, Field::Timer)},
      {"fields that are none", 0, put(Field::None, Field::TwoTimers)},
  });
}

TEST(SpecialFields, SuchMapsAreNotFrozen) {
  const auto freeze = [](Field field) {
    return [=](Bpf& b, Fds& f) {
      spec::Attr attr{};
      attr.elem.map_fd = static_cast<std::uint32_t>(create(b, f, MapType::Hash, field));
      return b(Command::MapFreeze, attr);
    };
  };
  judge({{"plain", 0, freeze(Field::None)},
         {"a lock", -kNotSupported, freeze(Field::Lock)},
         {"two timers, which are none", 0, freeze(Field::TwoTimers)}});
}

}  // namespace
}  // namespace skep::hive::testing
