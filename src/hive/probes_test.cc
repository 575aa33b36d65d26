// What libbpf 1.1.2 asks of a kernel before it uses a feature: all must get the answer of a modern one.
#include "base/errno.h"
#include "hive/testing.h"

namespace skep::hive::testing {
namespace {

using spec::AttachType;
using spec::Command;
using spec::MapType;
using spec::ProgType;

long load(Bpf& bpf, Fds& fds, ProgType type, const Code& code) { return fds.keep(load_prog(bpf, type, code)); }

long btf(Bpf& bpf, Fds& fds, const std::function<void(BtfBuilder&)>& build) {
  BtfBuilder builder;
  build(builder);
  return fds.keep(load_btf(bpf, builder.bytes()));
}

TEST(Probes, EveryFeatureIsThere) {
  const Code nothing = return_value(0);
  judge({
      {"loading at all", 0, [&](Bpf& b, Fds& f) { return load(b, f, ProgType::SocketFilter, nothing); }},
      {"tracepoints", 0, [&](Bpf& b, Fds& f) { return load(b, f, ProgType::Tracepoint, nothing); }},
      {"program name", 0,
       [&](Bpf& b, Fds& f) {
         spec::Attr attr = prog_attr(ProgType::SocketFilter, nothing);
         std::memcpy(attr.prog_load.prog_name, "libbpf_nametest", 15);
         return f.keep(b(Command::ProgLoad, attr));
       }},
      {"global data", 0,
       [&](Bpf& b, Fds& f) {
         const long map = f.keep(create_map(b, {.value = 32, .entries = 1}));
         return load(b, f, ProgType::SocketFilter,
                     ld_imm64(1, 2, static_cast<int>(map), 16) + Code{insn(0x7a, 1, 0, 0, 42)} + nothing);
       }},
      {"BTF", 0, [](Bpf& b, Fds& f) { return btf(b, f, [](auto& t) { t.integer("int", 4); }); }},
      {"BTF functions", 0,
       [](Bpf& b, Fds& f) {
         return btf(b, f, [](auto& t) {
           t.integer("int", 4);
           t.add("", 13, 1, 0, {t.string("a"), 1});
           t.add("x", 12, 0, 2);
         });
       }},
      {"BTF global functions", 0,
       [](Bpf& b, Fds& f) {
         return btf(b, f, [](auto& t) {
           t.integer("int", 4);
           t.add("", 13, 1, 0, {t.string("a"), 1});
           t.add("x", 12, 1, 2);
         });
       }},
      {"BTF data sections", 0,
       [](Bpf& b, Fds& f) {
         return btf(b, f, [](auto& t) {
           t.integer("int", 4);
           t.add("x", 14, 0, 1, {0});
           t.add(".data", 15, 1, 4, {2, 0, 4});
         });
       }},
      {"BTF floats", 0, [](Bpf& b, Fds& f) { return btf(b, f, [](auto& t) { t.add("float", 16, 0, 4); }); }},
      {"BTF declaration tags", 0,
       [](Bpf& b, Fds& f) {
         return btf(b, f, [](auto& t) {
           t.integer("int", 4);
           t.add("x", 14, 0, 1, {0});
           t.add("tag", 17, 0, 2, {0xffffffff});
         });
       }},
      {"BTF type tags", 0,
       [](Bpf& b, Fds& f) {
         return btf(b, f, [](auto& t) {
           t.integer("int", 4);
           t.add("tag", 18, 0, 1);
           t.add("", 2, 0, 2);
         });
       }},
      {"BTF 64-bit enumerations", 0,
       [](Bpf& b, Fds& f) { return btf(b, f, [](auto& t) { t.add("", 19, 1, 8, {t.string("a"), 0, 0}); }); }},
      {"mmapable arrays", 0,
       [](Bpf& b, Fds& f) { return f.keep(create_map(b, {.entries = 1, .flags = spec::kMmapable})); }},
      {"expected attach type", 0,
       [&](Bpf& b, Fds& f) {
         spec::Attr attr = prog_attr(ProgType::CgroupSock, nothing);
         attr.prog_load.expected_attach_type = static_cast<std::uint32_t>(AttachType::CgroupInetSockCreate);
         return f.keep(b(Command::ProgLoad, attr));
       }},
      {"probe_read_kernel", 0,
       [](Bpf& b, Fds& f) {
         return load(
             b, f, ProgType::Tracepoint,
             Code{mov_reg(1, 10), insn(0x07, 1, 0, 0, -8), mov(2, 8), mov(3, 0), call_helper(113), exit_insn()});
       }},
      {"prog_bind_map", 0,
       [&](Bpf& b, Fds& f) {
         spec::Attr attr{};
         attr.prog_bind_map.map_fd = static_cast<std::uint32_t>(f.keep(create_map(b, {.value = 32, .entries = 1})));
         attr.prog_bind_map.prog_fd = static_cast<std::uint32_t>(load(b, f, ProgType::SocketFilter, nothing));
         return b(Command::ProgBindMap, attr);
       }},
      {"names of module BTFs", 0,
       [](Bpf& b, Fds& f) {
         char name[16] = {};
         spec::BtfInfo info{
             .btf = 0, .btf_size = 0, .id = 0, .name = address(name), .name_len = sizeof name, .kernel_btf = 0};
         return get_info(b, btf(b, f, [](auto& t) { t.integer("int", 4); }), info);
       }},
      {"perf event links", -EBADF,
       [&](Bpf& b, Fds& f) {
         spec::Attr attr{};
         attr.link_create.prog_fd = static_cast<std::uint32_t>(load(b, f, ProgType::Tracepoint, nothing));
         attr.link_create.target_fd = static_cast<std::uint32_t>(-1);
         attr.link_create.attach_type = static_cast<std::uint32_t>(AttachType::PerfEvent);
         return b(Command::LinkCreate, attr);
       }},
      {"memory accounting", 0,
       [](Bpf& b, Fds& f) { return load(b, f, ProgType::SocketFilter, {call_helper(160), exit_insn()}); }},
      {"cookies", 0, [](Bpf& b, Fds& f) { return load(b, f, ProgType::Kprobe, {call_helper(174), exit_insn()}); }},
  });
}

TEST(Probes, WhatIsNotThereSaysSo) {
  const auto prog = [](Bpf& b, Fds& f) {
    return static_cast<std::uint32_t>(load(b, f, ProgType::SocketFilter, return_value(0)));
  };
  judge({
      {"pin no descriptor", -EINVAL,
       [](Bpf& b, Fds&) {
         spec::Attr attr{};
         attr.obj = {.pathname = address("/sys/fs/bpf/x"), .bpf_fd = kNoFd, .file_flags = 0, .path_fd = 0, .pad = 0};
         return b(Command::ObjPin, attr);
       }},
      {"pin with flags", -EINVAL,
       [&](Bpf& b, Fds& f) {
         spec::Attr attr{};
         attr.obj = {.pathname = address("/x"), .bpf_fd = prog(b, f), .file_flags = 1, .path_fd = 0, .pad = 0};
         return b(Command::ObjPin, attr);
       }},
      {"get a path that is not there", -ENOENT,
       [](Bpf& b, Fds&) {
         spec::Attr attr{};
         attr.obj.pathname = address("/nowhere/at/all");
         return b(Command::ObjGet, attr);
       }},
      {"get by a descriptor", -EINVAL,
       [](Bpf& b, Fds&) {
         spec::Attr attr{};
         attr.obj.pathname = address("/nowhere");
         attr.obj.bpf_fd = 3;
         return b(Command::ObjGet, attr);
       }},
      {"query a file that is no event", -kNotSupported,
       [](Bpf& b, Fds& f) {
         spec::Attr attr{};
         attr.task_fd_query.pid = static_cast<std::uint32_t>(::getpid());
         attr.task_fd_query.fd = static_cast<std::uint32_t>(f.keep(::open("/", O_RDONLY)));
         return b(Command::TaskFdQuery, attr);
       }},
      {"query no descriptor", -EBADF,
       [](Bpf& b, Fds&) {
         spec::Attr attr{};
         attr.task_fd_query.pid = static_cast<std::uint32_t>(::getpid());
         attr.task_fd_query.fd = kNoFd;
         return b(Command::TaskFdQuery, attr);
       }},
      {"query no process", -ENOENT,
       [](Bpf& b, Fds&) {
         spec::Attr attr{};
         attr.task_fd_query.pid = 0x7ffffffe;
         return b(Command::TaskFdQuery, attr);
       }},
      {"attach no program", -EBADF,
       [](Bpf& b, Fds&) {
         spec::Attr attr{};
         attr.attach.attach_bpf_fd = kNoFd;
         attr.attach.attach_type = static_cast<std::uint32_t>(AttachType::CgroupDevice);
         return b(Command::ProgAttach, attr);
       }},
      {"attach in an unknown way", -EINVAL,
       [](Bpf& b, Fds&) {
         spec::Attr attr{};
         attr.attach.attach_type = 9999;
         return b(Command::ProgAttach, attr);
       }},
      {"query in an unknown way", -EINVAL,
       [](Bpf& b, Fds&) {
         spec::Attr attr{};
         attr.query.attach_type = 9999;
         return b(Command::ProgQuery, attr);
       }},
      {"raw tracepoint of no program", -EBADF,
       [](Bpf& b, Fds&) {
         spec::Attr attr{};
         attr.raw_tracepoint.prog_fd = kNoFd;
         return b(Command::RawTracepointOpen, attr);
       }},
      {"raw tracepoint of a socket filter", -EINVAL,
       [&](Bpf& b, Fds& f) {
         spec::Attr attr{};
         attr.raw_tracepoint.prog_fd = prog(b, f);
         return b(Command::RawTracepointOpen, attr);
       }},
      {"raw tracepoint that is not there", -ENOENT,
       [](Bpf& b, Fds& f) {
         spec::Attr attr{};
         attr.raw_tracepoint.prog_fd = static_cast<std::uint32_t>(load(b, f, ProgType::RawTracepoint, return_value(0)));
         attr.raw_tracepoint.name = address("no_such_tracepoint");
         return b(Command::RawTracepointOpen, attr);
       }},
      {"link of no program", -EBADF,
       [](Bpf& b, Fds&) {
         spec::Attr attr{};
         attr.link_create.prog_fd = kNoFd;
         return b(Command::LinkCreate, attr);
       }},
      {"update no link", -EBADF,
       [](Bpf& b, Fds&) {
         spec::Attr attr{};
         attr.link_update.link_fd = kNoFd;
         return b(Command::LinkUpdate, attr);
       }},
      {"detach what is no link", -EINVAL,
       [&](Bpf& b, Fds& f) {
         spec::Attr attr{};
         attr.link_detach.link_fd = prog(b, f);
         return b(Command::LinkDetach, attr);
       }},
      {"iterate over no link", -EBADF,
       [](Bpf& b, Fds&) {
         spec::Attr attr{};
         attr.iter_create.link_fd = kNoFd;
         return b(Command::IterCreate, attr);
       }},
      {"iterate with flags", -EINVAL,
       [](Bpf& b, Fds&) {
         spec::Attr attr{};
         attr.iter_create.flags = 1;
         return b(Command::IterCreate, attr);
       }},
      {"no token", -EBADF,
       [](Bpf& b, Fds&) {
         spec::Attr attr{};
         attr.token_create.bpffs_fd = kNoFd;
         return b(Command::TokenCreate, attr);
       }},
      {"statistics of an unknown kind", -EINVAL,
       [](Bpf& b, Fds&) {
         spec::Attr attr{};
         attr.enable_stats.type = 9;
         return b(Command::EnableStats, attr);
       }},
      {"statistics", 0,
       [](Bpf& b, Fds& f) {
         spec::Attr attr{};
         return f.keep(b(Command::EnableStats, attr));
       }},
      {"bind with flags", -EINVAL,
       [](Bpf& b, Fds&) {
         spec::Attr attr{};
         attr.prog_bind_map.flags = 1;
         return b(Command::ProgBindMap, attr);
       }},
      {"bind no map", -EBADF,
       [&](Bpf& b, Fds& f) {
         spec::Attr attr{};
         attr.prog_bind_map.prog_fd = prog(b, f);
         attr.prog_bind_map.map_fd = kNoFd;
         return b(Command::ProgBindMap, attr);
       }},
  });
}

}  // namespace
}  // namespace skep::hive::testing
