// Which programs a run takes a virtual CPU for, by the maps and helpers they have.
#include "exec/executable.h"
#include "hive/testing.h"

namespace skep::hive::testing {
namespace {

using spec::MapType;
using spec::ProgType;

// r1 = map, r2 = key 0 on the stack, and a lookup.
Code lookup_in(long map) {
  return Code{insn(0x62, 10, 0, -8, 0), mov_reg(2, 10), insn(0x07, 2, 0, 0, -8)} +
         ld_imm64(1, 1, static_cast<int>(map)) + Code{call_helper(1)};
}

bool takes_cpu(HiveBpf& bpf, Fds& fds, const Code& code) {
  const long fd = fds.keep(load_prog(bpf, ProgType::Xdp, code + return_value(2)));
  const auto program = bpf.hive->program(static_cast<int>(fd));
  EXPECT_TRUE(program) << Hive::last_error();
  return program && program->code->image().uses_cpu;
}

long make(HiveBpf& bpf, Fds& fds, MapType type) {
  switch (type) {
    case MapType::LpmTrie: return fds.keep(create_map(bpf, {.type = type, .key = 8, .flags = spec::kNoPrealloc}));
    case MapType::ProgArray:
    case MapType::PerfEventArray:
    case MapType::Devmap: return fds.keep(create_map(bpf, {.type = type, .value = 4}));
    default: return fds.keep(create_map(bpf, {.type = type}));
  }
}

TEST(CpuUse, ByTheMapsOfTheProgram) {
  struct Row {
    MapType type;
    bool takes;
  };
  constexpr Row kRows[] = {
      {MapType::Array, false},  {MapType::Hash, false},       {MapType::LpmTrie, false},
      {MapType::Devmap, false}, {MapType::PercpuArray, true}, {MapType::PercpuHash, true},
      {MapType::LruHash, true}, {MapType::ProgArray, true},   {MapType::PerfEventArray, true},
  };
  for (const Row& row : kRows) {
    HiveBpf bpf({.verification = Verification::Skipped});  // which would refuse to look up a program
    Fds fds;
    EXPECT_EQ(takes_cpu(bpf, fds, lookup_in(make(bpf, fds, row.type))), row.takes) << spec::name(row.type);
  }
}

TEST(CpuUse, MapsOfMapsAreWhatIsInThem) {
  for (const MapType outer : {MapType::ArrayOfMaps, MapType::HashOfMaps})
    for (const MapType inner : {MapType::Hash, MapType::PercpuHash}) {
      HiveBpf bpf;
      Fds fds;
      const auto template_fd = static_cast<int>(make(bpf, fds, inner));
      const long map = fds.keep(create_map(bpf, {.type = outer, .value = 4, .flags = 0, .inner = template_fd}));
      EXPECT_EQ(takes_cpu(bpf, fds, lookup_in(map)), inner == MapType::PercpuHash)
          << spec::name(outer) << " of " << spec::name(inner);
    }
}

TEST(CpuUse, OneMapOrHelperIsEnough) {
  HiveBpf bpf;
  Fds fds;
  const Code plain = lookup_in(make(bpf, fds, MapType::Hash));
  EXPECT_FALSE(takes_cpu(bpf, fds, {}));
  EXPECT_FALSE(takes_cpu(bpf, fds, plain));
  EXPECT_TRUE(takes_cpu(bpf, fds, plain + Code{call_helper(8)})) << "asks which CPU it is on";
  EXPECT_TRUE(takes_cpu(bpf, fds, plain + lookup_in(make(bpf, fds, MapType::PercpuArray))));
}

}  // namespace
}  // namespace skep::hive::testing
