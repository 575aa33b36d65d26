// helper_maps.def against the running kernel: every helper that takes a map, with a map of every type that is easily
// made.
#include "spec/helper_maps.h"

#include <gtest/gtest.h>

#include <vector>

#include "spec/testing_call.h"

namespace skep::spec {
namespace {

using testing::Kernel;
using testing::Loadable;

struct Shape {
  MapType type;
  std::uint32_t key_size = 4, value_size = 4, flags = 0;
  std::uint32_t max_entries = 4096;
};
constexpr Shape kShapes[] = {
    {MapType::Hash},
    {MapType::Array},
    {MapType::ProgArray},
    {MapType::PerfEventArray},
    {MapType::PercpuHash},
    {MapType::PercpuArray},
    {MapType::StackTrace, 4, 8},
    {MapType::CgroupArray},
    {MapType::LruHash},
    {MapType::LruPercpuHash},
    {MapType::LpmTrie, 8, 4, kNoPrealloc},
    {MapType::Devmap},
    {MapType::Sockmap},
    {MapType::Cpumap},
    {MapType::Xskmap},
    {MapType::Sockhash},
    {MapType::ReuseportSockarray, 4, 8},
    {MapType::Queue, 0},
    {MapType::Stack, 0},
    {MapType::DevmapHash},
    {MapType::Ringbuf, 0, 0},
    {MapType::BloomFilter, 0},
    {MapType::UserRingbuf, 0, 0},
};

Fd create(const Shape& shape) {
  Attr attr{};
  attr.map_create.map_type = static_cast<std::uint32_t>(shape.type);
  attr.map_create.key_size = shape.key_size;
  attr.map_create.value_size = shape.value_size;
  attr.map_create.max_entries = shape.type == MapType::Cpumap ? 1 : shape.max_entries;
  attr.map_create.map_flags = shape.flags;
  return Fd(static_cast<int>(btf::testing::kernel_bpf(0, &attr, sizeof attr)));
}

// The arguments of a call with this map; false when one of the others is not easily made.
bool arguments(const Kernel& kernel, const Helper& helper, const Fd& map, std::vector<isa::Insn>& out) {
  bool has_map = false;
  for (std::uint8_t i = 0; i < helper.arg_count(); ++i) {
    const auto reg = static_cast<std::uint8_t>(i + 1);
    if (info(helper.args[i]).base == ArgBase::Map) {
      Kernel::add_map_pointer(out, reg, map);
      has_map = true;
    } else if (!kernel.right(out, reg, helper.args[i])) {
      return false;
    }
  }
  return has_map;
}

TEST(HelperMaps, TheKernelAgrees) {
  SKEP_NEEDS_KERNEL_BPF();
  const Kernel kernel;
  unsigned allowed = 0, refused = 0;
  for (const Shape& shape : kShapes) {
    const Fd map = create(shape);
    ASSERT_TRUE(static_cast<bool>(map)) << name(shape.type);
    for (const Helper* row : kHelperRows) {
      const Loadable* home = testing::home_of(row->id);
      std::vector<isa::Insn> insns;
      if (home == nullptr || !arguments(kernel, signature(home->type, row->id), map, insns)) continue;
      const testing::Verdict verdict = kernel.call(*home, row->id, insns);
      const bool no = verdict.log.contains("cannot pass map_type");
      if (verdict.error != 0 && !no) continue;  // it said something else first
      ++(no ? refused : allowed);
      EXPECT_EQ(helper_takes_map(row->id, shape.type), !no) << row->name << " " << name(shape.type) << "\n"
                                                            << verdict.log;
    }
  }
  EXPECT_GT(allowed, 40U);
  EXPECT_GT(refused, 200U);
}

TEST(HelperMaps, WhoMayChangeASockmap) {
  using enum HelperId;
  EXPECT_TRUE(may_change_sockmap(ProgType::SchedCls, {}, map_update_elem));
  EXPECT_FALSE(may_change_sockmap(ProgType::SchedCls, {}, map_lookup_elem));
  EXPECT_TRUE(may_change_sockmap(ProgType::SockOps, {}, map_delete_elem));
  EXPECT_FALSE(may_change_sockmap(ProgType::SockOps, {}, map_update_elem));
  EXPECT_TRUE(may_change_sockmap(ProgType::Tracing, AttachType::TraceIter, map_update_elem));
  EXPECT_FALSE(may_change_sockmap(ProgType::Tracing, AttachType::TraceFentry, map_update_elem));
  EXPECT_FALSE(may_change_sockmap(ProgType::Kprobe, {}, map_delete_elem));
}

}  // namespace
}  // namespace skep::spec
