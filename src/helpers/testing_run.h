// Programs as lists of helper calls: run here by calling the bodies, and by the running kernel as the bytecode they
// stand for. What both made of results, memory, packet and context is compared.
#pragma once

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "base/fd.h"
#include "helpers/testing.h"
#include "packet/test_run.h"
#include "spec/uapi.h"

namespace skep::helpers::testing {

struct Arg {
  enum class Kind : std::uint8_t { Context, Number, In, Out } kind = Kind::Number;
  std::uint64_t number = 0;  // Number; Out: bytes of memory, at most 64
  Buffer bytes;              // In: at most 64; Out: what the memory holds before the call, zeros when empty
};
inline Arg ctx() { return {.kind = Arg::Kind::Context, .number = 0, .bytes = {}}; }
inline Arg num(std::int64_t value) {
  return {.kind = Arg::Kind::Number, .number = static_cast<std::uint64_t>(value), .bytes = {}};
}
inline Arg in(Buffer bytes) { return {.kind = Arg::Kind::In, .number = 0, .bytes = std::move(bytes)}; }
inline Arg out(std::uint64_t size) { return {.kind = Arg::Kind::Out, .number = size, .bytes = {}}; }
inline Arg inout(Buffer bytes) { return {.kind = Arg::Kind::Out, .number = bytes.size(), .bytes = std::move(bytes)}; }

struct Step {
  HelperId id;
  std::vector<Arg> args;
};
using Steps = std::vector<Step>;

struct Input {
  spec::ProgType type = spec::ProgType::SchedCls;
  Buffer packet;
  std::optional<spec::SkBuffMd> skb = std::nullopt;
  std::optional<spec::XdpMd> xdp = std::nullopt;
  std::uint32_t flags = 0;  // of PROG_TEST_RUN
};

// What a run left behind. Equal on both sides, or a test fails.
struct Outcome {
  int error = 0;  // of the test run as a whole
  std::vector<std::int64_t> results;
  std::vector<Buffer> memory;         // Out, in order
  std::vector<std::uint32_t> fields;  // of the context at the end
  Buffer packet, context;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

inline Outcome failed(int error) {
  Outcome outcome;
  outcome.error = error;
  return outcome;
}

inline std::string text(const Steps& steps) {
  std::string result;
  for (const Step& step : steps) {
    result += std::string(spec::helper(step.id).name) + "(";
    for (const Arg& arg : step.args) {
      switch (arg.kind) {
        case Arg::Kind::Context: result += "ctx, "; break;
        case Arg::Kind::Number: result += std::to_string(static_cast<std::int64_t>(arg.number)) + ", "; break;
        case Arg::Kind::In: result += "in[" + std::to_string(arg.bytes.size()) + "], "; break;
        case Arg::Kind::Out: result += "out[" + std::to_string(arg.number) + "], "; break;
      }
    }
    result += ")\n";
  }
  return result;
}

inline std::string text(const Buffer& bytes) {
  std::string result = std::to_string(bytes.size()) + " bytes ";
  for (std::size_t i = 0; i < std::min<std::size_t>(bytes.size(), 120); ++i) {
    constexpr char hex[] = "0123456789abcdef";
    result += hex[std::to_integer<unsigned>(bytes[i]) >> 4];
    result += hex[std::to_integer<unsigned>(bytes[i]) & 15];
  }
  return result + '\n';
}

inline std::string text(const Outcome& outcome) {
  std::string result = "error " + std::to_string(outcome.error) + ", results";
  for (const std::int64_t value : outcome.results) result += ' ' + std::to_string(value);
  result += "\nfields";
  for (const std::uint32_t value : outcome.fields) result += ' ' + std::to_string(value);
  result += '\n';
  for (const Buffer& bytes : outcome.memory) result += "memory " + text(bytes);
  return result + "packet " + text(outcome.packet) + "context " + text(outcome.context);
}

inline bool is_xdp(const Input& input) { return input.type == spec::ProgType::Xdp; }
inline bool has_tstamp_type(const Input& input) { return input.type == spec::ProgType::SchedCls; }
inline bool direct_access(const Input& input) { return input.type != spec::ProgType::SocketFilter; }

// ---- the fields compared: offset in the context, and where they are here
struct Field {
  std::size_t offset;
  std::uint32_t packet::SkBuff::* member;
};
inline constexpr Field kFields[] = {
    {offsetof(spec::SkBuffMd, len), &packet::SkBuff::len},
    {offsetof(spec::SkBuffMd, pkt_type), &packet::SkBuff::pkt_type},
    {offsetof(spec::SkBuffMd, protocol), &packet::SkBuff::protocol},
    {offsetof(spec::SkBuffMd, vlan_present), &packet::SkBuff::vlan_present},
    {offsetof(spec::SkBuffMd, vlan_tci), &packet::SkBuff::vlan_tci},
    {offsetof(spec::SkBuffMd, vlan_proto), &packet::SkBuff::vlan_proto},
    {offsetof(spec::SkBuffMd, hash), &packet::SkBuff::hash},
    {offsetof(spec::SkBuffMd, ingress_ifindex), &packet::SkBuff::ingress_ifindex},
    {offsetof(spec::SkBuffMd, ifindex), &packet::SkBuff::ifindex},
};

template <class T>
Buffer bytes_in(const T& value) {
  const Bytes bytes = bytes_of(value);
  return {bytes.begin(), bytes.end()};
}

// ---- here
inline void run_steps(const Steps& steps, exec::Call& call, Outcome& outcome) {
  for (const Step& step : steps) {
    std::uint64_t r[5] = {};
    std::vector<Buffer> written;
    written.reserve(step.args.size());
    for (std::size_t i = 0; i < step.args.size(); ++i) {
      const Arg& arg = step.args[i];
      if (arg.kind == Arg::Kind::Out) written.push_back(arg.bytes.empty() ? Buffer(arg.number) : arg.bytes);
      r[i] = arg.kind == Arg::Kind::Context ? reg(call.context)
             : arg.kind == Arg::Kind::In    ? reg(arg.bytes.data())
             : arg.kind == Arg::Kind::Out   ? reg(written.back().data())
                                            : arg.number;
    }
    outcome.results.push_back(invoke(call, step.id, r[0], r[1], r[2], r[3], r[4]));
    for (Buffer& buffer : written) outcome.memory.push_back(std::move(buffer));
  }
}

inline Outcome run_xdp_here(const Steps& steps, const Input& input) {
  Outcome outcome;
  TestHost host;
  packet::Frame frame;
  packet::XdpBuff xdp;
  std::optional<spec::XdpMd> context = input.xdp;
  outcome.error = packet::begin(xdp, frame, input.packet, context ? &*context : nullptr);
  if (outcome.error != 0) return outcome;
  const NoProgram program(exec::ContextKind::XdpBuff);
  exec::Call call{host};
  call.context = &xdp;
  call.program = &program;
  run_steps(steps, call, outcome);
  outcome.fields = {static_cast<std::uint32_t>(xdp.data_end - xdp.data),
                    static_cast<std::uint32_t>(xdp.data - xdp.data_meta)};
  const Bytes packet = packet::finish(xdp, context ? &*context : nullptr);
  outcome.packet.assign(packet.begin(), packet.end());
  if (context) outcome.context = bytes_in(*context);
  return outcome;
}

inline Outcome run_skb_here(const Steps& steps, const Input& input) {
  Outcome outcome;
  TestHost host;
  packet::Frame frame;
  packet::SkBuff skb;
  std::optional<spec::SkBuffMd> context = input.skb;
  spec::SkBuffMd* const given = context ? &*context : nullptr;
  outcome.error = packet::begin(skb, frame, input.packet, given, input.type, input.flags);
  if (outcome.error != 0) return outcome;
  const NoProgram program(exec::ContextKind::SkBuff);
  exec::Call call{host};
  call.context = &skb;
  call.program = &program;
  run_steps(steps, call, outcome);
  for (const Field& field : kFields) outcome.fields.push_back(skb.*field.member);
  if (direct_access(input)) outcome.fields.push_back(static_cast<std::uint32_t>(skb.data_end - skb.data));
  if (has_tstamp_type(input)) outcome.fields.push_back(skb.tstamp_type);
  Bytes packet;
  const int error = packet::finish(skb, given, input.type, input.flags, packet);
  if (error != 0) return failed(error);
  outcome.packet.assign(packet.begin(), packet.end());
  if (context) outcome.context = bytes_in(*context);
  return outcome;
}

inline Outcome run_here(const Steps& steps, const Input& input) {
  return is_xdp(input) ? run_xdp_here(steps, input) : run_skb_here(steps, input);
}

// ---- in the kernel
inline long sys_bpf(int command, union bpf_attr& attr) { return ::syscall(SYS_bpf, command, &attr, sizeof attr); }

inline std::uint64_t address(const void* pointer) { return reinterpret_cast<std::uint64_t>(pointer); }

// Layout of the map value that collects a run: results, 64 bytes for each memory argument, fields.
inline constexpr int kResultsAt = 0, kMemoryAt = 512, kFieldsAt = 512 + 64 * 64;
inline constexpr std::uint32_t kValueSize = kFieldsAt + 256;

class Code {
 public:
  void op(int code, int dst, int src, int offset, std::int32_t imm) {
    bpf_insn insn{};
    insn.code = static_cast<std::uint8_t>(code);
    insn.dst_reg = static_cast<std::uint8_t>(dst & 15);
    insn.src_reg = static_cast<std::uint8_t>(src & 15);
    insn.off = static_cast<std::int16_t>(offset);
    insn.imm = imm;
    insns.push_back(insn);
  }
  void move(int dst, int src) { op(BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0); }
  void add(int dst, std::int32_t imm) { op(BPF_ALU64 | BPF_ADD | BPF_K, dst, 0, 0, imm); }
  void load64(int dst, std::uint64_t value, int kind = 0, std::int32_t second = 0) {
    op(BPF_LD | BPF_DW | BPF_IMM, dst, kind, 0, static_cast<std::int32_t>(value));
    op(0, 0, 0, 0, kind != 0 ? second : static_cast<std::int32_t>(value >> 32));
  }
  void load(int size, int dst, int src, int offset) { op(BPF_LDX | BPF_MEM | size, dst, src, offset, 0); }
  void store(int size, int dst, int offset, int src) { op(BPF_STX | BPF_MEM | size, dst, src, offset, 0); }
  void store_imm(int size, int dst, int offset, std::int32_t imm) { op(BPF_ST | BPF_MEM | size, dst, 0, offset, imm); }

  std::vector<bpf_insn> insns;
};

inline int stack_slot(std::size_t arg) { return -64 * (static_cast<int>(arg) + 1); }

inline void put_argument(Code& code, const Arg& arg, std::size_t index) {
  const int target = static_cast<int>(index) + 1, slot = stack_slot(index);
  switch (arg.kind) {
    case Arg::Kind::Context: code.move(target, 6); return;
    case Arg::Kind::Number: code.load64(target, arg.number); return;
    case Arg::Kind::In:
    case Arg::Kind::Out:
      for (int at = 0; at < 64; at += 8) {
        std::uint64_t word = 0;
        const auto start = static_cast<std::size_t>(at);
        if (start < arg.bytes.size())
          std::memcpy(&word, arg.bytes.data() + start, std::min<std::size_t>(8, arg.bytes.size() - start));
        code.load64(8, word);
        code.store(BPF_DW, 10, slot + at, 8);
      }
      code.move(target, 10);
      code.add(target, slot);
  }
}

// r6: context, r7: the map's value.
inline Code compile(const Steps& steps, const Input& input, int map) {
  Code code;
  code.move(6, 1);
  code.load64(7, static_cast<std::uint32_t>(map), BPF_PSEUDO_MAP_VALUE, 0);
  int memory = kMemoryAt, result = kResultsAt;
  for (const Step& step : steps) {
    // Memory goes through r8, so the other registers are loaded last.
    for (std::size_t i = 0; i < step.args.size(); ++i) put_argument(code, step.args[i], i);
    code.op(BPF_JMP | BPF_CALL, 0, 0, 0, static_cast<std::int32_t>(step.id));
    code.store(BPF_DW, 7, result, 0);
    result += 8;
    for (std::size_t i = 0; i < step.args.size(); ++i) {
      if (step.args[i].kind != Arg::Kind::Out) continue;
      for (int at = 0; at < 64; at += 8) {
        code.load(BPF_DW, 1, 10, stack_slot(i) + at);
        code.store(BPF_DW, 7, memory + at, 1);
      }
      memory += 64;
    }
  }
  int field = kFieldsAt;
  const auto difference = [&](std::size_t end, std::size_t start) {
    code.load(BPF_W, 1, 6, static_cast<int>(end));
    code.load(BPF_W, 2, 6, static_cast<int>(start));
    code.op(BPF_ALU64 | BPF_SUB | BPF_X, 1, 2, 0, 0);
    code.store(BPF_W, 7, field, 1);
    field += 4;
  };
  if (is_xdp(input)) {
    difference(offsetof(spec::XdpMd, data_end), offsetof(spec::XdpMd, data));
    difference(offsetof(spec::XdpMd, data), offsetof(spec::XdpMd, data_meta));
  } else {
    for (const Field& each : kFields) {
      code.load(BPF_W, 1, 6, static_cast<int>(each.offset));
      code.store(BPF_W, 7, field, 1);
      field += 4;
    }
    if (direct_access(input)) difference(offsetof(spec::SkBuffMd, data_end), offsetof(spec::SkBuffMd, data));
    if (has_tstamp_type(input)) {
      code.load(BPF_B, 1, 6, offsetof(spec::SkBuffMd, tstamp_type));
      code.store(BPF_W, 7, field, 1);
    }
  }
  code.op(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, input.type == spec::ProgType::CgroupSkb ? 1 : 0);
  code.op(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
  return code;
}

inline Fd make_map() {
  bpf_attr attr{};
  attr.map_type = BPF_MAP_TYPE_ARRAY;
  attr.key_size = 4;
  attr.value_size = kValueSize;
  attr.max_entries = 1;
  return Fd(static_cast<int>(sys_bpf(BPF_MAP_CREATE, attr)));
}

inline Fd load_code(const Code& code, spec::ProgType type, std::string& log) {
  bpf_attr attr{};
  attr.prog_type = static_cast<std::uint32_t>(type);
  attr.insns = address(code.insns.data());
  attr.insn_cnt = static_cast<std::uint32_t>(code.insns.size());
  attr.license = address("GPL");
  Fd fd(static_cast<int>(sys_bpf(BPF_PROG_LOAD, attr)));
  if (fd) return fd;
  log.resize(1 << 20);
  attr.log_buf = address(log.data());
  attr.log_size = static_cast<std::uint32_t>(log.size());
  attr.log_level = 1;
  return Fd(static_cast<int>(sys_bpf(BPF_PROG_LOAD, attr)));
}

// Why the running kernel cannot be asked; empty when it can.
inline const std::string& no_kernel() {
  static const std::string reason = [] {
    const Fd map = make_map();
    return map ? std::string() : std::string("bpf(2) is not permitted here");
  }();
  return reason;
}

inline Outcome read_value(const Steps& steps, const Input& input, const Buffer& value) {
  Outcome outcome;
  std::size_t memory = kMemoryAt;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    outcome.results.push_back(load<std::int64_t>(value.data() + kResultsAt + 8 * i));
    for (const Arg& arg : steps[i].args) {
      if (arg.kind != Arg::Kind::Out) continue;
      const auto at = value.begin() + static_cast<std::ptrdiff_t>(memory);
      outcome.memory.emplace_back(at, at + static_cast<std::ptrdiff_t>(arg.number));
      memory += 64;
    }
  }
  const std::size_t fields =
      is_xdp(input) ? 2 : std::size(kFields) + (direct_access(input) ? 1 : 0) + (has_tstamp_type(input) ? 1 : 0);
  for (std::size_t i = 0; i < fields; ++i)
    outcome.fields.push_back(load<std::uint32_t>(value.data() + kFieldsAt + 4 * i));
  return outcome;
}

inline Outcome run_in_kernel(const Steps& steps, const Input& input) {
  const Fd map = make_map();
  std::string log;
  const Fd program = load_code(compile(steps, input, map.get()), input.type, log);
  EXPECT_TRUE(program) << text(steps) << log.c_str();
  if (!program) return failed(1);
  Buffer packet(1 << 16);
  const Buffer given = input.skb ? bytes_in(*input.skb) : input.xdp ? bytes_in(*input.xdp) : Buffer();
  Buffer context = given;
  bpf_attr attr{};
  attr.test.prog_fd = static_cast<std::uint32_t>(program.get());
  attr.test.data_in = address(input.packet.data());
  attr.test.data_size_in = static_cast<std::uint32_t>(input.packet.size());
  attr.test.data_out = address(packet.data());
  attr.test.data_size_out = static_cast<std::uint32_t>(packet.size());
  attr.test.flags = input.flags;
  if (!given.empty()) {
    attr.test.ctx_in = address(given.data());
    attr.test.ctx_out = address(context.data());
    attr.test.ctx_size_in = attr.test.ctx_size_out = static_cast<std::uint32_t>(given.size());
  }
  if (sys_bpf(BPF_PROG_TEST_RUN, attr) != 0) return failed(-errno);
  packet.resize(attr.test.data_size_out);
  bpf_attr lookup{};
  Buffer value(kValueSize);
  const std::uint32_t key = 0;
  lookup.map_fd = static_cast<std::uint32_t>(map.get());
  lookup.key = address(&key);
  lookup.value = address(value.data());
  EXPECT_EQ(sys_bpf(BPF_MAP_LOOKUP_ELEM, lookup), 0);
  Outcome outcome = read_value(steps, input, value);
  outcome.packet = std::move(packet);
  outcome.context = std::move(context);
  return outcome;
}

}  // namespace skep::helpers::testing
