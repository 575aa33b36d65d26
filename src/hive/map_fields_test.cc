// Programs that read fields of the kernel's structure of a map: the same numbers as in the running kernel.
#include "hive/testing.h"
#include "hive/testing_programs.h"

namespace skep::hive::testing {
namespace {

using spec::MapType;

struct Field {
  const char* structure;
  const char* member;
  friend std::ostream& operator<<(std::ostream& out, const Field& field) {
    return out << field.structure << "." << field.member;
  }
};

// Where a field is; nothing where this kernel has none of that name.
std::optional<std::uint32_t> offset_of(const Field& field) {
  const std::uint32_t type = kernel_type(field.structure, btf::Kind::Struct);
  const auto member = type != 0 ? kernel_types()->find_member(type, field.member) : std::nullopt;
  return member ? std::optional(member->bit_offset / 8) : std::nullopt;
}

// What a program loads by `code` from the map; negative: what bpf(2) said.
std::int64_t loaded(Bpf& bpf, const MapShape& shape, std::uint8_t code, std::uint32_t offset) {
  Fds fds;
  const long map = fds.keep(create_map(bpf, shape));
  const Code load =
      ld_imm64(1, 1, static_cast<int>(map)) + Code{insn(code, 0, 1, static_cast<int>(offset), 0), exit_insn()};
  const long prog = fds.keep(load_prog(bpf, spec::ProgType::Xdp, load));
  if (prog < 0) return prog;
  std::array<std::byte, 64> packet{};
  spec::Attr attr{};
  attr.test.prog_fd = static_cast<std::uint32_t>(prog);
  attr.test.data_in = address(packet.data());
  attr.test.data_size_in = packet.size();
  const long error = bpf(spec::Command::ProgTestRun, attr);
  return error != 0 ? error : std::int64_t{attr.test.retval};
}

constexpr std::uint8_t kLoad32 = 0x61, kLoad8 = 0x71, kLoadSigned8 = 0x91, kLoad64 = 0x79;

TEST(MapFields, AreTheKernels) {
  if (kernel_types() == nullptr || !KernelBpf::here()) GTEST_SKIP() << "there is no kernel to compare with";
  const MapShape array{.type = MapType::Array, .value = 12, .entries = 100};
  const MapShape hash{.type = MapType::Hash, .value = 12, .entries = 100, .flags = spec::kNoPrealloc, .name = "\xf0y"};
  const auto compare = [](const MapShape& shape, const Field& field, std::uint8_t code) {
    const auto offset = offset_of(field);
    if (!offset) return;
    HiveBpf hive;
    KernelBpf kernel;
    EXPECT_EQ(loaded(hive, shape, code, *offset), loaded(kernel, shape, code, *offset)) << field;
  };
  for (const MapShape& shape : {array, hash})
    for (const char* member : {"map_type", "key_size", "value_size", "max_entries", "map_flags", "frozen"})
      compare(shape, {"bpf_map", member}, std::string_view(member) == "frozen" ? kLoad8 : kLoad32);
  compare(array, {"bpf_array", "elem_size"}, kLoad32);
  compare(array, {"bpf_array", "index_mask"}, kLoad32);
  compare(hash, {"bpf_htab", "n_buckets"}, kLoad32);
  compare(hash, {"bpf_htab", "elem_size"}, kLoad32);
  for (const std::uint8_t code : {kLoad8, kLoadSigned8}) compare(hash, {"bpf_map", "name"}, code);
}

TEST(MapFields, PointersLeadNowhere) {
  if (kernel_types() == nullptr) GTEST_SKIP() << "the kernel's types cannot be read here";
  HiveBpf bpf;
  EXPECT_EQ(loaded(bpf, {}, kLoad64, *offset_of({"bpf_map", "ops"})), 0);
}

// Which map it is must be known when the program is loaded.
TEST(MapFields, OfInnerMapsAreRefused) {
  if (kernel_types() == nullptr) GTEST_SKIP() << "the kernel's types cannot be read here";
  HiveBpf bpf;
  Fds fds;
  const long inner = fds.keep(create_map(bpf, {}));
  const long outer =
      fds.keep(create_map(bpf, {.type = MapType::ArrayOfMaps, .value = 4, .inner = static_cast<int>(inner)}));
  const int offset = static_cast<int>(*offset_of({"bpf_map", "max_entries"}));
  const Code code = Code{insn(0x62, 10, 0, -4, 0), mov_reg(2, 10), insn(0x07, 2, 0, 0, -4)} +
                    ld_imm64(1, 1, static_cast<int>(outer)) +
                    Code{call_helper(1), insn(0x15, 0, 0, 1, 0), insn(kLoad32, 0, 0, offset, 0), exit_insn()};
  EXPECT_EQ(fds.keep(load_prog(bpf, spec::ProgType::Xdp, code)), -EOPNOTSUPP);
}

}  // namespace
}  // namespace skep::hive::testing
