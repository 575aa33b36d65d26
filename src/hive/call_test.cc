// The size rule, unknown commands and bad attribute addresses.

#include <array>

#include "hive/testing.h"

namespace skep::hive::testing {
namespace {

using spec::Command;

constexpr int kLookup = static_cast<int>(Command::MapLookupElem);
constexpr int kNextId = static_cast<int>(Command::MapGetNextId);

// A map lookup with `size` bytes of attribute, byte `dirty` (if any) set.
long lookup_with(Bpf& bpf, Fds& fds, std::uint32_t size, std::size_t dirty = 0) {
  alignas(8) std::array<std::byte, 8192> bytes{};
  const long map = fds.keep(create_map(bpf, {}));
  std::uint32_t key = 0;
  std::uint64_t value = 0;
  spec::Attr attr = elem_attr(map, &key, &value);
  std::memcpy(bytes.data(), &attr, sizeof attr);
  if (dirty != 0) bytes[dirty] = std::byte{1};
  return bpf.call(kLookup, bytes.data(), size);
}

TEST(Call, SizesAndCommands) {
  judge({
      {"exactly the command's fields", 0, [](Bpf& b, Fds& f) { return lookup_with(b, f, 32); }},
      {"without the last field", 0, [](Bpf& b, Fds& f) { return lookup_with(b, f, 24); }},
      {"up to a page, zeros", 0, [](Bpf& b, Fds& f) { return lookup_with(b, f, 4096); }},
      {"more than a page", -E2BIG, [](Bpf& b, Fds& f) { return lookup_with(b, f, 4097); }},
      {"a byte behind the last field", -EINVAL, [](Bpf& b, Fds& f) { return lookup_with(b, f, 128, 40); }},
      {"a byte behind the whole attribute", -E2BIG, [](Bpf& b, Fds& f) { return lookup_with(b, f, 1024, 1000); }},
      {"that byte, but not within the size", 0, [](Bpf& b, Fds& f) { return lookup_with(b, f, 900, 1000); }},
      {"size 0: the descriptor is 0, standard input", -EINVAL,
       [](Bpf& b, Fds&) { return b.call(kLookup, nullptr, 0); }},
      {"unknown command", -EINVAL,
       [](Bpf& b, Fds&) {
         spec::Attr attr{};
         return b.call(1000, &attr, 32);
       }},
      {"negative command", -EINVAL,
       [](Bpf& b, Fds&) {
         spec::Attr attr{};
         return b.call(-1, &attr, 32);
       }},
      {"attribute at a bad address", -EFAULT,
       [](Bpf& b, Fds&) { return b.call(kLookup, reinterpret_cast<void*>(16), 32); }},
      {"attribute in kernel space", -EFAULT,
       [](Bpf& b, Fds&) { return b.call(kLookup, reinterpret_cast<void*>(0xffff888000000000), 32); }},
      {"a long attribute at a bad address", -EFAULT,
       [](Bpf& b, Fds&) { return b.call(kLookup, reinterpret_cast<void*>(16), 1024); }},
      {"an unknown command at a bad address", -EFAULT,
       [](Bpf& b, Fds&) { return b.call(1000, reinterpret_cast<void*>(16), 32); }},
  });
}

TEST(Call, AnswersIntoReadOnlyMemoryFault) {
  judge({{"next_id cannot be written", -EFAULT, [](Bpf& bpf, Fds& fds) -> long {
            fds.keep(create_map(bpf, {}));
            void* page = ::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            const long result = bpf.call(kNextId, page, 8);
            ::munmap(page, 4096);
            return result;
          }}});
}

TEST(Call, AttributeAtTheEndOfAPage) {
  HiveBpf bpf;
  auto* pages =
      static_cast<std::byte*>(::mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ::munmap(pages + 4096, 4096);
  const spec::Attr attr = map_attr({});
  std::memcpy(pages + 4096 - 20, &attr, 20);
  Fds fds;
  EXPECT_GE(fds.keep(bpf.call(0, pages + 4096 - 20, 20)), 0);
  EXPECT_EQ(bpf.call(0, pages + 4096 - 20, 24), -EFAULT);
  ::munmap(pages, 4096);
}

TEST(Call, AskedWithoutPrivilege) {
  HiveBpf bpf;
  Fds fds;
  Unprivileged nobody;
  const auto ask = [&](Command command, spec::Attr attr) {
    return fds.keep(bpf.hive->call(nobody, static_cast<int>(command), address(&attr), sizeof attr));
  };
  const Code code = return_value(0);
  EXPECT_EQ(ask(Command::MapCreate, map_attr({})), -EPERM);
  EXPECT_EQ(ask(Command::ProgLoad, prog_attr(spec::ProgType::SocketFilter, code)), -EPERM);
  EXPECT_EQ(ask(Command::MapGetNextId, {}), -EPERM);
  EXPECT_EQ(ask(Command::MapGetFdById, {}), -EPERM);
  EXPECT_EQ(ask(Command::EnableStats, {}), -EPERM);
  nobody.rights.bpf = true;
  EXPECT_GE(ask(Command::MapCreate, map_attr({})), 0);
  EXPECT_GE(ask(Command::ProgLoad, prog_attr(spec::ProgType::SocketFilter, code)), 0);
  EXPECT_EQ(ask(Command::ProgLoad, prog_attr(spec::ProgType::Xdp, code)), -EPERM);
  EXPECT_EQ(ask(Command::ProgLoad, prog_attr(spec::ProgType::Kprobe, code)), -EPERM);
  EXPECT_EQ(ask(Command::MapCreate, map_attr({.type = spec::MapType::Devmap})), -EPERM);
  nobody.rights.net_admin = true;
  EXPECT_GE(ask(Command::ProgLoad, prog_attr(spec::ProgType::Xdp, code)), 0);
}

// As with kernel.unprivileged_bpf_disabled=0.
TEST(Call, AHiveThatTakesTheUnprivileged) {
  HiveBpf bpf(Options{.unprivileged = true});
  Fds fds;
  Unprivileged nobody;
  const auto ask = [&](Command command, spec::Attr attr) {
    return fds.keep(bpf.hive->call(nobody, static_cast<int>(command), address(&attr), sizeof attr));
  };
  const Code code = return_value(0);
  EXPECT_GE(ask(Command::MapCreate, map_attr({})), 0);
  EXPECT_GE(ask(Command::MapCreate, map_attr({.type = spec::MapType::CgroupStorage, .key = 8, .entries = 0})), 0);
  EXPECT_EQ(ask(Command::MapCreate, map_attr({.type = spec::MapType::LruHash})), -EPERM);
  EXPECT_EQ(ask(Command::MapCreate, map_attr({.type = spec::MapType::Sockmap, .value = 4})), -EPERM);
  EXPECT_GE(ask(Command::ProgLoad, prog_attr(spec::ProgType::SocketFilter, code)), 0);
  EXPECT_GE(ask(Command::ProgLoad, prog_attr(spec::ProgType::CgroupSkb, code)), 0);
  EXPECT_EQ(ask(Command::ProgLoad, prog_attr(spec::ProgType::SchedCls, code)), -EPERM);
  EXPECT_EQ(ask(Command::ProgLoad, prog_attr(spec::ProgType::Syscall, code)), -EPERM);
  Code long_code(4096, code.front());
  EXPECT_EQ(ask(Command::ProgLoad, prog_attr(spec::ProgType::SocketFilter, long_code + code)), -E2BIG);
}

}  // namespace
}  // namespace skep::hive::testing
