// For tests: bpf(2) on a hive or on the running kernel through one interface, so that a table of calls and expected
// answers is run against both.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "btf/btf.h"
#include "hive/hive.h"
#include "isa/op.h"
#include "spec/attr.h"
#include "spec/commands.h"
#include "spec/uapi.h"

namespace skep::hive::testing {

// Where bpf(2) goes. Results are as the kernel's entry gives them: negative errno numbers.
class Bpf {
 public:
  virtual ~Bpf() = default;
  virtual long call(int cmd, const void* attr, std::uint32_t size) = 0;
  // The folder that /sys/fs/bpf stands for there.
  virtual std::string bpffs() { return {}; }
  long operator()(spec::Command command, spec::Attr& attr) {
    return call(static_cast<int>(command), &attr, static_cast<std::uint32_t>(spec::info(command).attr_bytes));
  }
};

// The hive is shared; a caller is each thread's own.
class Shared final : public Bpf {
 public:
  explicit Shared(Hive& hive) : hive_(hive) {}
  long call(int cmd, const void* attr, std::uint32_t size) override {
    LocalCaller caller;
    return hive_.call(caller, cmd, reinterpret_cast<std::uint64_t>(attr), size);
  }

 private:
  Hive& hive_;
};

// A caller without capabilities, until a test gives it some.
class Unprivileged final : public LocalCaller {
 public:
  Privilege privilege() const noexcept override { return rights; }
  Privilege rights{.bpf = false, .perfmon = false, .net_admin = false, .sys_admin = false};
};

#ifdef SKEP_HIVE_BPF  // a header with another HiveBpf, whose hive is reached in another way: src/host/testing_hosted.h
inline constexpr bool kHosted = true;
}  // namespace skep::hive::testing
#include SKEP_HIVE_BPF
namespace skep::hive::testing {
#else
inline constexpr bool kHosted = false;

class HiveBpf final : public Bpf {
 public:
  explicit HiveBpf(const Options& options = {}) : hive(std::move(*Hive::create(options))) {}
  long call(int cmd, const void* attr, std::uint32_t size) override {
    return hive->call(caller, cmd, reinterpret_cast<std::uint64_t>(attr), size);
  }
  std::string bpffs() override { return *hive->bpffs(); }
  std::unique_ptr<Hive> hive;
  LocalCaller caller;
};
#endif

class KernelBpf final : public Bpf {
 public:
  long call(int cmd, const void* attr, std::uint32_t size) override {
    const long result = ::syscall(SYS_bpf, cmd, attr, size);
    return result < 0 ? -errno : result;
  }
  std::string bpffs() override { return "/sys/fs/bpf"; }
  // Whether the running kernel lets us judge by it.
  static bool here() {
    spec::Attr attr{};
    attr.map_create.map_type = 2;
    attr.map_create.key_size = 4;
    attr.map_create.value_size = 4;
    attr.map_create.max_entries = 1;
    const long fd = KernelBpf()(spec::Command::MapCreate, attr);
    if (fd >= 0) ::close(static_cast<int>(fd));
    return fd >= 0;
  }
};

template <class T>
std::uint64_t address(T* at) {
  return reinterpret_cast<std::uint64_t>(at);
}

// ---- instructions
inline isa::Insn insn(std::uint8_t code, unsigned dst, unsigned src, int off, int imm) {
  isa::Insn made;
  made.code = code;
  made.dst = dst & 0xf;
  made.src = src & 0xf;
  made.off = static_cast<std::int16_t>(off);
  made.imm = imm;
  return made;
}
inline isa::Insn mov(unsigned dst, int imm) { return insn(0xb7, dst, 0, 0, imm); }
inline isa::Insn mov_reg(unsigned dst, unsigned src) { return insn(0xbf, dst, src, 0, 0); }
inline isa::Insn call_helper(int id) { return insn(0x85, 0, 0, 0, id); }
inline isa::Insn exit_insn() { return insn(0x95, 0, 0, 0, 0); }
using Code = std::vector<isa::Insn>;
inline Code ld_imm64(unsigned dst, unsigned src, int imm, int next = 0) {
  return {insn(0x18, dst, src, 0, imm), insn(0, 0, 0, 0, next)};
}
inline Code operator+(Code left, const Code& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}
inline Code return_value(int value) { return {mov(0, value), exit_insn()}; }

// ---- calls
// The running kernel's types; null where they cannot be read.
inline const btf::Btf* kernel_types() {
  static const auto types = []() -> std::optional<btf::Btf> {
    std::ifstream file("/sys/kernel/btf/vmlinux", std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)), {});
    auto parsed = btf::Btf::parse(std::as_bytes(std::span(bytes)), nullptr, {.attribute_tags = true});
    return parsed ? std::optional(*std::move(parsed)) : std::nullopt;
  }();
  return types ? &*types : nullptr;
}
inline std::uint32_t kernel_type(std::string_view name, btf::Kind kind) {
  return kernel_types() != nullptr ? kernel_types()->find(name, kind).value_or(0) : 0;
}

struct MapShape {
  spec::MapType type = spec::MapType::Array;
  std::uint32_t key = 4, value = 8, entries = 4, flags = 0;
  const char* name = "";
  int inner = 0;
};
inline spec::Attr map_attr(const MapShape& shape) {
  spec::Attr attr{};
  attr.map_create.map_type = static_cast<std::uint32_t>(shape.type);
  attr.map_create.key_size = shape.key;
  attr.map_create.value_size = shape.value;
  attr.map_create.max_entries = shape.entries;
  attr.map_create.map_flags = shape.flags;
  attr.map_create.inner_map_fd = static_cast<std::uint32_t>(shape.inner);
  std::memcpy(attr.map_create.map_name, shape.name, std::strlen(shape.name));
  return attr;
}
inline long create_map(Bpf& bpf, const MapShape& shape) {
  spec::Attr attr = map_attr(shape);
  return bpf(spec::Command::MapCreate, attr);
}

inline spec::Attr elem_attr(long map, const void* key, void* value, std::uint64_t flags = 0) {
  spec::Attr attr{};
  attr.elem.map_fd = static_cast<std::uint32_t>(map);
  attr.elem.key = address(key);
  attr.elem.value = address(value);
  attr.elem.flags = flags;
  return attr;
}
template <class Key, class Value>
long update(Bpf& bpf, long map, Key key, Value value, std::uint64_t flags = 0) {
  spec::Attr attr = elem_attr(map, &key, &value, flags);
  return bpf(spec::Command::MapUpdateElem, attr);
}
template <class Value, class Key>
std::optional<Value> lookup(Bpf& bpf, long map, Key key) {
  Value value{};
  spec::Attr attr = elem_attr(map, &key, &value);
  if (bpf(spec::Command::MapLookupElem, attr) != 0) return std::nullopt;
  return value;
}
template <class Key>
long erase(Bpf& bpf, long map, Key key) {
  spec::Attr attr = elem_attr(map, &key, nullptr);
  return bpf(spec::Command::MapDeleteElem, attr);
}

inline spec::Attr prog_attr(spec::ProgType type, const Code& code, const char* license = "GPL") {
  spec::Attr attr{};
  attr.prog_load.prog_type = static_cast<std::uint32_t>(type);
  attr.prog_load.insns = address(code.data());
  attr.prog_load.insn_cnt = static_cast<std::uint32_t>(code.size());
  attr.prog_load.license = address(license);
  return attr;
}
inline long load_prog(Bpf& bpf, spec::ProgType type, const Code& code) {
  spec::Attr attr = prog_attr(type, code);
  return bpf(spec::Command::ProgLoad, attr);
}

// What a program says to a packet of zeros; negative where the run fails.
inline long said(Bpf& bpf, long prog, std::uint32_t repeat = 1) {
  std::array<std::byte, 64> packet{};
  spec::Attr attr{};
  attr.test.prog_fd = static_cast<std::uint32_t>(prog);
  attr.test.data_in = address(packet.data());
  attr.test.data_size_in = packet.size();
  attr.test.repeat = repeat;
  const long error = bpf(spec::Command::ProgTestRun, attr);
  return error != 0 ? error : attr.test.retval;
}

template <class Info>
long get_info(Bpf& bpf, long fd, Info& info) {
  spec::Attr attr{};
  attr.info.bpf_fd = static_cast<std::uint32_t>(fd);
  attr.info.info = address(&info);
  attr.info.info_len = sizeof info;
  return bpf(spec::Command::ObjGetInfoByFd, attr);
}

inline std::uint32_t next_id(Bpf& bpf, spec::Command command, std::uint32_t start) {
  spec::Attr attr{};
  attr.id.start_id = start;
  return bpf(command, attr) == 0 ? attr.id.next_id : 0;
}

using Ids = std::vector<std::uint32_t>;
inline Ids ids(Bpf& bpf, spec::Command command) {
  Ids all;
  for (std::uint32_t id = next_id(bpf, command, 0); id != 0; id = next_id(bpf, command, id)) all.push_back(id);
  return all;
}

// ---- BTF: built type by type. Strings are added when first used.
class BtfBuilder {
 public:
  std::uint32_t string(const std::string& text) {
    if (text.empty()) return 0;
    const auto at = static_cast<std::uint32_t>(strings_.size());
    strings_ += text;
    strings_ += '\0';
    return at;
  }
  // kind, vlen, size or type, and the words behind the common part. Returns the id.
  std::uint32_t add(const std::string& name, unsigned kind, unsigned vlen, std::uint32_t size_or_type,
                    const std::vector<std::uint32_t>& rest = {}) {
    types_.insert(types_.end(), {string(name), kind << 24 | vlen, size_or_type});
    types_.insert(types_.end(), rest.begin(), rest.end());
    return ++count_;
  }
  std::uint32_t integer(const std::string& name, std::uint32_t bytes, std::uint32_t encoding = 1) {
    return add(name, 1, 0, bytes, {encoding << 24 | bytes * 8});
  }
  std::vector<std::byte> bytes() const {
    const auto type_bytes = static_cast<std::uint32_t>(types_.size() * 4);
    const std::uint32_t header[] = {0x0001eb9f, 24,         0,
                                    type_bytes, type_bytes, static_cast<std::uint32_t>(strings_.size())};
    std::vector<std::byte> all(sizeof header + type_bytes + strings_.size());
    std::memcpy(all.data(), header, sizeof header);
    std::memcpy(all.data() + sizeof header, types_.data(), type_bytes);
    std::memcpy(all.data() + sizeof header + type_bytes, strings_.data(), strings_.size());
    return all;
  }

 private:
  std::vector<std::uint32_t> types_;
  std::string strings_ = std::string(1, '\0');
  std::uint32_t count_ = 0;
};

inline long load_btf(Bpf& bpf, const std::vector<std::byte>& data) {
  spec::Attr attr{};
  attr.btf_load.btf = address(data.data());
  attr.btf_load.btf_size = static_cast<std::uint32_t>(data.size());
  return bpf(spec::Command::BtfLoad, attr);
}

// ---- Descriptors on their way from one process to another: a message with one.
class Passed {
 public:
  Passed() {
    message_.msg_iov = &data_;
    message_.msg_iovlen = 1;
    message_.msg_control = control_;
    message_.msg_controllen = sizeof control_;
  }
  bool send(int socket, int fd) {
    cmsghdr* header = CMSG_FIRSTHDR(&message_);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
    return ::sendmsg(socket, &message_, 0) == 1;
  }
  int receive(int socket) {
    int fd = -1;
    if (::recvmsg(socket, &message_, 0) != 1 || CMSG_FIRSTHDR(&message_) == nullptr) return -1;
    std::memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message_)), sizeof fd);
    return fd;
  }

 private:
  alignas(cmsghdr) char control_[CMSG_SPACE(sizeof(int))] = {};
  char byte_ = 0;
  iovec data_{&byte_, 1};
  msghdr message_{};
};
inline bool send_descriptor(int socket, int fd) { return Passed().send(socket, fd); }
inline int receive_descriptor(int socket) { return Passed().receive(socket); }

// Closes descriptors at the end of a test.
class Fds {
 public:
  Fds() = default;
  Fds(const Fds&) = delete;
  Fds& operator=(const Fds&) = delete;
  ~Fds() {
    for (const int fd : fds_) ::close(fd);
  }
  long keep(long fd) {
    if (fd >= 0) fds_.push_back(static_cast<int>(fd));
    return fd;
  }

 private:
  std::vector<int> fds_;
};

// One call, or a few, and what must come out: 0 or more where `expected` is 0, else exactly this negative errno.
struct Case {
  const char* name;
  long expected;
  std::function<long(Bpf&, Fds&)> call;
  bool kernel = true;  // false: the running kernel legitimately says something else
};

// Every case against a hive, and against the running kernel where it is there.
inline void judge(const std::vector<Case>& cases) {
  const auto check = [](Bpf& bpf, const Case& test, const char* who) {
    Fds fds;
    const long result = test.call(bpf, fds);
    const long seen = result > 0 && test.expected == 0 ? 0 : result;
    EXPECT_EQ(seen, test.expected) << test.name << ", asked of " << who << ": " << Hive::last_error();
  };
  const bool kernel_here = KernelBpf::here();
  KernelBpf kernel;
  HiveBpf hive;
  for (const Case& test : cases) {
    check(hive, test, "the hive");
    if (kernel_here && test.kernel) check(kernel, test, "the running kernel");
  }
}

// A descriptor number that is not open.
inline constexpr int kNoFd = 9999;

}  // namespace skep::hive::testing
