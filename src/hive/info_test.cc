// BPF_OBJ_GET_INFO_BY_FD: its size rule, what it tells of each kind of object.
#include <algorithm>

#include "hive/testing.h"

namespace skep::hive::testing {
namespace {

using spec::Command;
using spec::MapType;
using spec::ProgType;

long ask(Bpf& bpf, long fd, void* info, std::uint32_t size, std::uint32_t* written = nullptr) {
  spec::Attr attr{};
  attr.info.bpf_fd = static_cast<std::uint32_t>(fd);
  attr.info.info = address(info);
  attr.info.info_len = size;
  const long result = bpf(Command::ObjGetInfoByFd, attr);
  if (written != nullptr) *written = attr.info.info_len;
  return result;
}

alignas(8) std::byte buffer[8192];
long map_of(Bpf& bpf, Fds& fds) { return fds.keep(create_map(bpf, {.name = "a_map"})); }
long prog_of(Bpf& bpf, Fds& fds) { return fds.keep(load_prog(bpf, ProgType::SocketFilter, return_value(0))); }
long btf_of(Bpf& bpf, Fds& fds) {
  BtfBuilder btf;
  btf.integer("int", 4);
  return fds.keep(load_btf(bpf, btf.bytes()));
}
void* clear(std::size_t dirty = 0) {
  std::ranges::fill(buffer, std::byte{0});
  if (dirty != 0) buffer[dirty] = std::byte{1};
  return buffer;
}

TEST(Info, Sizes) {
  for (const auto& of : {map_of, prog_of, btf_of}) {
    judge({
        {"exact", 0, [=](Bpf& b, Fds& f) { return ask(b, of(b, f), clear(), 32); }},
        {"nothing", 0, [=](Bpf& b, Fds& f) { return ask(b, of(b, f), clear(), 0); }},
        {"longer, zeros", 0, [=](Bpf& b, Fds& f) { return ask(b, of(b, f), clear(), 4096); }},
        {"more than a page", -E2BIG, [=](Bpf& b, Fds& f) { return ask(b, of(b, f), clear(), 4097); }},
        {"longer, not zeros", -E2BIG, [=](Bpf& b, Fds& f) { return ask(b, of(b, f), clear(1000), 1024); }},
        {"a bad address", -EFAULT, [=](Bpf& b, Fds& f) { return ask(b, of(b, f), reinterpret_cast<void*>(16), 32); }},
    });
  }
  judge({
      {"no descriptor", -EBADFD, [](Bpf& b, Fds&) { return ask(b, kNoFd, clear(), 32); }},
      {"a file", -EINVAL, [](Bpf& b, Fds& f) { return ask(b, f.keep(::open("/dev/null", O_RDONLY)), clear(), 32); }},
      {"a map's size is written back", 88,
       [](Bpf& b, Fds& f) -> long {
         std::uint32_t written = 0;
         ask(b, map_of(b, f), clear(), 88, &written);
         return written;
       }},
      {"a short size stays", 20,
       [](Bpf& b, Fds& f) -> long {
         std::uint32_t written = 0;
         ask(b, map_of(b, f), clear(), 20, &written);
         return written;
       }},
      {"maps at a bad address", -EFAULT,
       [](Bpf& b, Fds& f) {
         const Code code = ld_imm64(1, 1, static_cast<int>(map_of(b, f))) + return_value(0);
         spec::ProgInfo info{};
         info.nr_map_ids = 1;
         info.map_ids = 16;
         return get_info(b, f.keep(load_prog(b, ProgType::SocketFilter, code)), info);
       }},
      {"instructions at a bad address", -EFAULT,
       [](Bpf& b, Fds& f) {
         spec::ProgInfo info{};
         info.xlated_prog_len = 64;
         info.xlated_prog_insns = 16;
         return get_info(b, prog_of(b, f), info);
       }},
      {"a BTF's name without room", -EINVAL,
       [](Bpf& b, Fds& f) {
         spec::BtfInfo info{};
         info.name = address(buffer);
         return get_info(b, btf_of(b, f), info);
       }},
      {"a BTF's data at a bad address", -EFAULT,
       [](Bpf& b, Fds& f) {
         spec::BtfInfo info{};
         info.btf = 16, info.btf_size = 24;
         return get_info(b, btf_of(b, f), info);
       }},
  });
}

// What the hive and the kernel say of the same map, ids aside.
TEST(Info, MapsAreDescribedAsByTheKernel) {
  if (!KernelBpf::here()) GTEST_SKIP() << "no bpf(2) here";
  KernelBpf kernel;
  HiveBpf hive;
  for (const MapShape& shape : {MapShape{.name = "x"}, MapShape{.type = MapType::Devmap, .value = 4},
                                MapShape{.type = MapType::PercpuHash, .value = 5, .flags = spec::kNoPrealloc}}) {
    Fds fds;
    spec::MapInfo got{};
    spec::MapInfo want{};
    ASSERT_EQ(get_info(hive, fds.keep(create_map(hive, shape)), got), 0);
    ASSERT_EQ(get_info(kernel, fds.keep(create_map(kernel, shape)), want), 0);
    got.id = want.id;
    EXPECT_EQ(std::memcmp(&got, &want, sizeof got), 0) << spec::name(shape.type);
  }
}

TEST(Info, Programs) {
  HiveBpf bpf;
  Fds fds;
  BtfBuilder types;
  const std::uint32_t word = types.integer("int", 4);
  types.add("", 13, 0, word);
  types.add("main", 12, 1, 2);
  const std::uint32_t file = types.string("file.c");
  const long btf = fds.keep(load_btf(bpf, types.bytes()));
  const long map = fds.keep(create_map(bpf, {.entries = 1}));
  const Code code = ld_imm64(1, 2, static_cast<int>(map), 4) + Code{mov(0, 0), call_helper(5), exit_insn()};
  const spec::FuncInfo func = {0, 3};
  const spec::LineInfo line = {0, file, file, 7 << 10};
  spec::Attr attr = prog_attr(ProgType::SocketFilter, code, "Proprietary");
  std::memcpy(attr.prog_load.prog_name, "a_name", 6);
  attr.prog_load.prog_btf_fd = static_cast<std::uint32_t>(btf);
  attr.prog_load.func_info = address(&func);
  attr.prog_load.func_info_cnt = 1;
  attr.prog_load.func_info_rec_size = sizeof func;
  attr.prog_load.line_info = address(&line);
  attr.prog_load.line_info_cnt = 1;
  attr.prog_load.line_info_rec_size = sizeof line;
  const long prog = fds.keep(bpf(Command::ProgLoad, attr));
  ASSERT_GE(prog, 0) << Hive::last_error();

  Code insns(16);
  std::uint32_t ids[4] = {};
  spec::FuncInfo funcs[2] = {};
  spec::LineInfo lines[2] = {};
  spec::ProgInfo info{};
  info.xlated_prog_insns = address(insns.data());
  info.xlated_prog_len = 16 * 8;
  info.map_ids = address(ids);
  info.nr_map_ids = 4;
  info.func_info = address(funcs);
  info.nr_func_info = 2;
  info.func_info_rec_size = sizeof funcs[0];
  info.line_info = address(lines);
  info.nr_line_info = 2;
  info.line_info_rec_size = sizeof lines[0];
  ASSERT_EQ(get_info(bpf, prog, info), 0);
  spec::MapInfo map_info{};
  ASSERT_EQ(get_info(bpf, map, map_info), 0);
  spec::BtfInfo btf_info{};
  ASSERT_EQ(get_info(bpf, btf, btf_info), 0);

  EXPECT_EQ(info.type, 1U);
  EXPECT_STREQ(info.name, "a_name");
  EXPECT_EQ(info.gpl_compatible, 0U);
  EXPECT_EQ(info.created_by_uid, ::getuid());
  EXPECT_NE(info.load_time, 0U);
  EXPECT_EQ(info.jited_prog_len, 0U);
  ASSERT_EQ(info.xlated_prog_len, code.size() * 8);
  EXPECT_EQ(insns[0].src, 2);
  EXPECT_EQ(static_cast<std::uint32_t>(insns[0].imm), map_info.id);
  EXPECT_EQ(insns[1].imm, 4);
  EXPECT_EQ(insns[3].imm, 5);
  EXPECT_EQ(info.nr_map_ids, 1U);
  EXPECT_EQ(ids[0], map_info.id);
  EXPECT_EQ(info.btf_id, btf_info.id);
  EXPECT_EQ(info.nr_func_info, 1U);
  EXPECT_EQ(funcs[0].type_id, 3U);
  EXPECT_EQ(info.nr_line_info, 1U);
  EXPECT_EQ(lines[0].line(), 7U);
}

TEST(Info, BtfGivesItsBytesBack) {
  HiveBpf bpf;
  Fds fds;
  BtfBuilder types;
  types.integer("int", 4);
  const std::vector<std::byte> data = types.bytes();
  const long btf = fds.keep(load_btf(bpf, data));
  std::vector<std::byte> back(data.size());
  spec::BtfInfo info{};
  info.btf = address(back.data());
  info.btf_size = static_cast<std::uint32_t>(back.size());
  ASSERT_EQ(get_info(bpf, btf, info), 0);
  EXPECT_EQ(back, data);
  EXPECT_EQ(info.btf_size, data.size());
  EXPECT_EQ(info.kernel_btf, 0U);
}

TEST(Info, WhatAProgramIsMadeOfIsNotForTheUnprivileged) {
  HiveBpf bpf;
  Fds fds;
  const Code code = ld_imm64(1, 1, static_cast<int>(map_of(bpf, fds))) + return_value(0);
  spec::ProgInfo info{};
  std::uint32_t id = 0;
  info.nr_map_ids = 1;
  info.map_ids = address(&id);
  info.xlated_prog_len = sizeof buffer;
  info.xlated_prog_insns = address(clear());
  spec::Attr attr{};
  attr.info.bpf_fd = static_cast<std::uint32_t>(fds.keep(load_prog(bpf, ProgType::SocketFilter, code)));
  attr.info.info = address(&info);
  attr.info.info_len = sizeof info;
  Unprivileged nobody;
  ASSERT_EQ(bpf.hive->call(nobody, static_cast<int>(Command::ObjGetInfoByFd), address(&attr), sizeof attr), 0);
  EXPECT_EQ(info.type, static_cast<std::uint32_t>(ProgType::SocketFilter));
  EXPECT_NE(id, 0U) << "maps are shown";
  EXPECT_EQ(info.xlated_prog_len, 0U);
  EXPECT_EQ(buffer[0], std::byte{0});
}

}  // namespace
}  // namespace skep::hive::testing
