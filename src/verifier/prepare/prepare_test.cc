#include "verifier/prepare/prepare.h"

#include <gtest/gtest.h>

#include <array>
#include <regex>
#include <string>
#include <vector>

#include "btf/testing_builder.h"
#include "isa/asm.h"
#include "spec/helpers.h"
#include "spec/uapi.h"
#include "verifier/testing_kernel.h"

namespace skep::verifier {
namespace {

using spec::MapType;
using spec::ProgType;

class HelperNames : public isa::Symbols {
 public:
  std::optional<std::int32_t> helper(std::string_view name) const override {
    const spec::Helper* found = spec::find_helper(name);
    return found ? std::optional(static_cast<std::int32_t>(found->id)) : std::nullopt;
  }
};

std::vector<isa::Insn> assembled(std::string_view text) {
  const auto result = isa::assemble(text, HelperNames());
  EXPECT_TRUE(result) << text << '\n' << (result ? "" : result.error().message);
  return result ? result->insns : std::vector<isa::Insn>{};
}

// What preparing says of a program: 0, or an errno and all that the log has.
struct Said {
  int code = 0;
  std::string log;
};
Said prepared(Walk& walk) {
  if (prepare(walk)) return {0, walk.log.take()};
  walk.log.line(walk.rejection->message);
  return {walk.rejection->code, walk.log.take()};
}
Said prepared(const spec::VerifyInput& input, Rules rules = Rules::Linux612) {
  Walk walk(input, rules);
  return prepared(walk);
}

struct Case {
  const char* title;
  const char* program;
};
constexpr Case kCases[] = {
#include "verifier/prepare/prepare_cases.inc"
};

const btf::Btf& kernel_types() {
  static const btf::Btf types = [] {
    btf::testing::Builder builder;
    builder.add_int("int", 4);
    return *btf::Btf::parse(builder.bytes());
  }();
  return types;
}

TEST(Prepare, AgreesWithTheRunningKernel) {
  SKEP_NEEDS_KERNEL_BPF();
  for (const Case& subject : kCases) {
    SCOPED_TRACE(subject.title);
    const auto insns = assembled(subject.program);
    const auto said = testing::ask_kernel({.insns = insns});
    const Said ours = prepared(
        {.type = ProgType::SocketFilter, .insns = insns, .log_level = spec::kLogStates, .kernel_btf = &kernel_types()});
    EXPECT_EQ(ours.code, said.error);
    EXPECT_EQ(ours.log, std::regex_replace(said.log, std::regex("processed 0 insns[^\n]*\n"), ""));
  }
}

// ---- Where states are compared

std::string prune_points(const Walk& walk) {
  std::string text;
  for (std::size_t i = 0; i < walk.info.size(); ++i) {
    const InsnInfo& info = walk.info[i];
    if (!info.is_prune_point && !info.is_jump_point) continue;
    text += std::to_string(i) + (info.is_prune_point ? "p" : "") + (info.is_jump_point ? "j" : "") +
            (info.forces_checkpoint ? "f" : "") + (info.calls_callback ? "c" : "") + " ";
  }
  return text;
}

TEST(Prepare, MarksWherePathsMeet) {
  const struct {
    const char* what;
    const char* program;
    const char* points;
  } subjects[] = {
      {"straight", "r0 = 0\nexit", ""},
      {"branch", "r0 = 0\nif r0 == 0 goto +1\nr0 = 1\nexit", "1p 3pj "},
      {"goto", "r0 = 0\ngoto +0\nexit", "2pj "},
      {"gotol", "r0 = 0\ngotol +0\nexit", "2pj "},
      {"loop", "r0 = 0\nr0 += 1\nif r0 < 4 goto -2\nexit", "1pj 2p "},
      {"may_goto", "r0 = 0\nmay_goto +1\ngoto -2\nexit", "1pjf 3pj "},
      {"helper", "call bpf_ktime_get_ns\nexit", "1pj "},
      {"subprogram", "call pc+1\nexit\nr0 = 0\nexit", "0p 1pj 2pj "},
      {"callback now", "r2 = subprog[+7]\nr1 = 1\nr3 = 0\nr4 = 0\ncall bpf_loop\nr0 = 0\nexit\nr0 = 0\nexit",
       "0p 2pj 5pjfc 6pj 8pj "},
      {"callback later", "r2 = subprog[+4]\ncall bpf_timer_set_callback\nr0 = 0\nexit\nr0 = 0\nexit",
       "0p 2pj 3pj 5pj "},
  };
  for (const auto& subject : subjects) {
    SCOPED_TRACE(subject.what);
    const auto insns = assembled(subject.program);
    const spec::VerifyInput input{.type = ProgType::SocketFilter, .insns = insns};
    Walk walk(input, Rules::Linux612);
    ASSERT_TRUE(prepare(walk)) << walk.rejection->message;
    EXPECT_EQ(prune_points(walk), subject.points);
  }
}

TEST(Prepare, EffectsOfCalleesReachTheirCallers) {
  const auto insns = assembled(
      "call pc+4\nr0 = 0\nexit\nr0 = 0\nexit\n"          // main, and one that calls nothing but is called by none
      "call pc+1\nexit\ncall bpf_skb_pull_data\nexit");  // a caller, and who moves the packet
  const spec::VerifyInput input{.type = ProgType::SchedCls, .insns = insns};
  Walk walk(input, Rules::Linux612);
  EXPECT_FALSE(prepare(walk));
  EXPECT_EQ(walk.rejection->message, "unreachable insn 3");
  ASSERT_EQ(walk.subprogs.size(), 3U);
  for (const Subprog& subprog : walk.subprogs) EXPECT_TRUE(subprog.changes_packet);
}

TEST(Prepare, TheUnprivilegedHaveNoLoopsAndNoFunctions) {
  const auto loop = assembled("r0 = 0\nr0 += 1\nif r0 < 4 goto -2\nexit");
  const auto call = assembled("call pc+1\nexit\nr0 = 0\nexit");
  const auto check = [](const std::vector<isa::Insn>& insns) {
    const spec::VerifyInput input{.type = ProgType::SocketFilter, .insns = insns, .rights = {.bpf = false}};
    Walk walk(input, Rules::Linux612);
    EXPECT_TRUE(!find_subprograms(walk) || !check_subprograms(walk) || !check_flow(walk));
    return walk.rejection->message;
  };
  EXPECT_EQ(check(loop), "back-edge from insn 2 to 1");
  EXPECT_EQ(check(call), "loading/calling other bpf or kernel functions are allowed for CAP_BPF and CAP_SYS_ADMIN");
}

TEST(Prepare, SubprogramsAreLimited) {
  const auto code = [](int functions) {
    std::string text;
    for (int i = 0; i < functions; ++i) text += "call pc+" + std::to_string(functions) + "\n";
    for (int i = 0; i <= functions; ++i) text += "exit\n";
    const auto insns = assembled(text);
    return prepared({.type = ProgType::SocketFilter, .insns = insns}).code;
  };
  EXPECT_EQ(code(255), 0);  // and the main program
  EXPECT_EQ(code(256), E2BIG);
}

// ---- Maps

Said with_map(const spec::MapView& map, ProgType type, std::uint32_t flags = 0, std::string_view load = "map[fd:3]") {
  const auto insns = assembled("r1 = " + std::string(load) + "\nr0 = 0\nexit");
  const spec::MapUse use{.insn = 0, .map = 0, .fd = 3};
  return prepared({.type = type, .insns = insns, .maps = {&map, 1}, .map_uses = {&use, 1}, .flags = flags});
}
Said with_field(btf::Special kind, ProgType type) {
  const btf::SpecialField field{.kind = kind};
  return with_map({.spec = {.type = MapType::Array}, .fields = {&field, 1}}, type);
}

TEST(Prepare, MapsFitTheirPrograms) {
  EXPECT_EQ(with_field(btf::Special::SpinLock, ProgType::SocketFilter).log, "");
  EXPECT_EQ(with_field(btf::Special::SpinLock, ProgType::SocketFilter).code, EINVAL);
  EXPECT_EQ(with_field(btf::Special::SpinLock, ProgType::Xdp).code, 0);
  for (const ProgType type : {ProgType::Kprobe, ProgType::Tracepoint, ProgType::PerfEvent, ProgType::RawTracepoint})
    for (const btf::Special kind :
         {btf::Special::SpinLock, btf::Special::Timer, btf::Special::Wq, btf::Special::ListHead, btf::Special::RbRoot})
      EXPECT_EQ(with_field(kind, type).code, EINVAL);
  EXPECT_EQ(with_field(btf::Special::Kptr, ProgType::Kprobe).code, 0);
  EXPECT_EQ(with_map({.spec = {.type = MapType::StructOps}}, ProgType::Xdp).code, EINVAL);
  EXPECT_EQ(with_map({.spec = {.type = MapType::ProgArray}}, ProgType::Syscall, spec::kSleepable).code, EINVAL);
  EXPECT_EQ(with_map({.spec = {.type = MapType::Hash}}, ProgType::Syscall, spec::kSleepable).code, 0);
}

TEST(Prepare, ValuesOfMapsHaveAddresses) {
  spec::MapView one{.spec = {.type = MapType::Array, .value_size = 8, .max_entries = 1}, .has_direct_value = true};
  const auto value = [&](const char* offset) {
    return with_map(one, ProgType::Xdp, 0, std::string("map[fd:3][0]+") + offset).code;
  };
  EXPECT_EQ(value("7"), 0);
  EXPECT_EQ(value("8"), EINVAL);
  EXPECT_EQ(value("536870912"), EINVAL);
  one.has_direct_value = false;
  EXPECT_EQ(value("0"), 524);
  one.spec.type = MapType::Hash;
  EXPECT_EQ(value("0"), EINVAL);
}

TEST(Prepare, AProgramHasAtMost64Maps) {
  std::string text;
  std::vector<spec::MapView> maps(65, spec::MapView{.spec = {.type = MapType::Array}});
  std::vector<spec::MapUse> uses;
  for (std::uint32_t i = 0; i < 65; ++i) {
    text += "r1 = map[fd:3]\n";
    uses.push_back({.insn = 2 * i, .map = i, .fd = 3});
  }
  const auto insns = assembled(text + "r0 = 0\nexit");
  spec::VerifyInput input{.type = ProgType::Xdp, .insns = insns, .maps = maps, .map_uses = uses, .log_level = 1};
  EXPECT_EQ(prepared(input).log, "The total number of maps per program has reached the limit of 64\n");
  uses.back().map = 0;
  EXPECT_EQ(prepared(input).code, 0);
}

// ---- What a program is attached to

struct Kernel {
  btf::testing::Builder builder;
  std::uint32_t function = 0, hook = 0, disabled = 0, tracepoint = 0, iterator = 0, no_iterator = 0, type = 0;
  std::uint32_t modifiable = 0;
  btf::Btf types;

  Kernel() : types(build()) {}
  btf::Btf build() {
    type = builder.add_int("int", 4);
    const std::uint32_t proto = builder.add(btf::Kind::FuncProto, "", type);
    function = builder.add(btf::Kind::Func, "tcp_connect", proto);
    hook = builder.add(btf::Kind::Func, "bpf_lsm_file_open", proto);
    disabled = builder.add(btf::Kind::Func, "bpf_lsm_getprocattr", proto);
    iterator = builder.add(btf::Kind::Func, "bpf_iter_task", proto);
    no_iterator = builder.add(btf::Kind::Func, "bpf_iter_nothing", proto);
    modifiable = builder.add(btf::Kind::Func, "security_file_open", proto);
    tracepoint = builder.add(btf::Kind::Typedef, "btf_trace_sched_switch", builder.add(btf::Kind::Ptr, "", proto));
    return *btf::Btf::parse(builder.bytes());
  }
};

Said attached(ProgType type, spec::AttachType attach, std::uint32_t id, std::uint32_t flags = 0,
              spec::License license = spec::License::Gpl) {
  static const Kernel kernel;
  const auto insns = assembled("r0 = 0\nexit");
  return prepared({.type = type,
                   .attach = attach,
                   .insns = insns,
                   .flags = flags,
                   .log_level = 1,
                   .license = license,
                   .target = {.btf_id = id, .btf = &kernel.types}});
}

TEST(Prepare, TargetsInTheKernel) {
  using enum spec::AttachType;
  const Kernel kernel;
  const auto id = [](std::uint32_t n) { return std::to_string(n); };
  EXPECT_EQ(attached(ProgType::Tracing, TraceFentry, kernel.function).code, 0);
  EXPECT_EQ(attached(ProgType::Tracing, TraceFentry, 0).log, "Tracing programs must provide btf_id\n");
  EXPECT_EQ(attached(ProgType::Tracing, TraceFentry, 999).log, "attach_btf_id 999 is invalid\n");
  EXPECT_EQ(attached(ProgType::Tracing, TraceFexit, kernel.type).log,
            "attach_btf_id " + id(kernel.type) + " is not a function\n");
  EXPECT_EQ(attached(ProgType::Tracing, TraceRawTp, kernel.function).log,
            "attach_btf_id " + id(kernel.function) + " is not a typedef\n");
  EXPECT_EQ(attached(ProgType::Tracing, TraceRawTp, kernel.tracepoint).code, 0);
  EXPECT_EQ(attached(ProgType::Tracing, TraceIter, kernel.iterator).code, 0);
  EXPECT_EQ(attached(ProgType::Tracing, TraceIter, kernel.no_iterator).code, EINVAL);
  EXPECT_EQ(attached(ProgType::Tracing, ModifyReturn, kernel.function).log, "tcp_connect() is not modifiable\n");
  EXPECT_EQ(attached(ProgType::Tracing, ModifyReturn, kernel.modifiable).code, 0);
  EXPECT_EQ(attached(ProgType::Tracing, TraceFentry, kernel.function, spec::kSleepable).log,
            "tcp_connect is not sleepable\n");
  EXPECT_EQ(attached(ProgType::Lsm, LsmMac, kernel.hook).code, 0);
  EXPECT_EQ(attached(ProgType::Lsm, LsmMac, kernel.hook, spec::kSleepable).code, 0);
  EXPECT_EQ(attached(ProgType::Lsm, LsmMac, kernel.hook, 0, spec::License::Other).log,
            "LSM programs must have a GPL compatible license\n");
  EXPECT_EQ(attached(ProgType::Lsm, LsmMac, kernel.disabled).log,
            "attach_btf_id " + id(kernel.disabled) + " points to disabled hook bpf_lsm_getprocattr\n");
  EXPECT_EQ(attached(ProgType::Lsm, LsmMac, kernel.function).log,
            "attach_btf_id " + id(kernel.function) + " points to wrong type name tcp_connect\n");
  EXPECT_EQ(attached(ProgType::Ext, spec::AttachType{0}, kernel.function).log, "Cannot replace kernel functions\n");
  EXPECT_EQ(attached(ProgType::Syscall, spec::AttachType{0}, 0).log, "Syscall programs can only be sleepable\n");
  EXPECT_EQ(attached(ProgType::Xdp, spec::AttachType{0}, 0, spec::kSleepable).log,
            "Only fentry/fexit/fmod_ret, lsm, iter, uprobe, and struct_ops programs can be sleepable\n");
}

// An extension with one function, and a program whose function it would stand for.
class Extension {
 public:
  struct Function {
    std::uint32_t result = 1;  // 1: int; 2: long; 3: struct ctx *; 4: struct other *
    std::vector<std::uint32_t> params = {};
    std::uint32_t linkage = 1;
  };
  Extension(const Function& ours, const Function& theirs) {
    own_ = *btf::Btf::parse(types(ours, "ours"));
    target_ = *btf::Btf::parse(types(theirs, "theirs"));
    functions_[0].type_id = target_->find("theirs", btf::Kind::Func).value();
  }
  spec::TargetFunction& function() { return functions_[0]; }
  spec::AttachTarget target{.is_program = true, .program_type = ProgType::Xdp};

  Said check(std::string_view program = "r0 = 0\nexit") {
    const auto insns = assembled(program);
    const btf::FuncInfo info{0, own_->find("ours", btf::Kind::Func).value()};
    target.btf_id = target_->find("theirs", btf::Kind::Func).value();
    target.btf = &*target_;
    target.functions = functions_;
    return prepared({.type = ProgType::Ext,
                     .insns = insns,
                     .log_level = 1,
                     .btf = &*own_,
                     .func_info = {std::as_bytes(std::span(&info, 1)), sizeof info, 1},
                     .target = target});
  }

 private:
  static std::vector<std::byte> types(const Function& function, std::string_view name) {
    btf::testing::Builder builder;
    builder.add_int("int", 4, btf::kSigned);
    builder.add_int("long", 8, btf::kSigned);
    builder.add(btf::Kind::Ptr, "", 5);
    builder.add(btf::Kind::Ptr, "", 6);
    builder.add_struct("xdp_md", 4, {{"data", 1, 0}});
    builder.add_struct("other", 4, {{"data", 1, 0}});
    const std::uint32_t proto =
        builder.add(btf::Kind::FuncProto, "", function.result, static_cast<std::uint32_t>(function.params.size()));
    for (const std::uint32_t param : function.params) builder.word(builder.string("p")), builder.word(param);
    builder.add(btf::Kind::Func, name, proto, function.linkage);
    return builder.bytes();
  }

  std::optional<btf::Btf> own_, target_;
  std::array<spec::TargetFunction, 1> functions_{};
};

TEST(Prepare, ExtensionsMatchWhatTheyReplace) {
  using F = Extension::Function;
  const auto said = [](const F& ours, const F& theirs) { return Extension(ours, theirs).check().log; };
  EXPECT_EQ(said(F{.params = {3, 1}}, F{.params = {3, 1}}), "");
  EXPECT_EQ(said(F{.linkage = 0}, F{}), "ours() is not a global function\n");
  EXPECT_EQ(said(F{}, F{.linkage = 0}), "theirs() is not a global function\n");
  EXPECT_EQ(said(F{.params = {3}}, F{}), "ours() has 1 args while theirs() has 0 args\n");
  EXPECT_EQ(said(F{.result = 3}, F{}), "Return type PTR of ours() doesn't match type INT of theirs()\n");
  EXPECT_EQ(said(F{.params = {1}}, F{.params = {3}}), "arg0 in ours() is INT while theirs() has PTR\n");
  EXPECT_EQ(said(F{.params = {3, 2}}, F{.params = {3, 1}}), "arg1 in ours() has size 8 while theirs() has 4\n");
  EXPECT_EQ(said(F{.params = {4}}, F{.params = {3}}),
            "arg0 ours(struct other *) doesn't match theirs(struct xdp_md *)\n");
}

TEST(Prepare, ExtensionsDoNoMoreThanWhatTheyReplace) {
  Extension plain({.params = {3}}, {.params = {3}});
  const std::string_view moves = "call bpf_xdp_adjust_head\nr0 = 0\nexit";
  EXPECT_EQ(plain.check(moves).log, "Extension program changes packet data, while original does not\n");
  plain.function().changes_packet = true;
  EXPECT_EQ(plain.check(moves).log, "");
  plain.function().is_unreliable = true;
  EXPECT_EQ(plain.check().log, "Cannot replace static functions\n");
  plain.function() = {.type_id = 1};
  EXPECT_EQ(plain.check().log, "Subprog theirs doesn't exist\n");
  Extension nested({.params = {3}}, {.params = {3}});
  nested.target.program_type = ProgType::Ext;
  EXPECT_EQ(nested.check().log, "Cannot recursively attach\n");
  nested.target.program_type = ProgType::Tracing;
  nested.target.program_attach = spec::AttachType::TraceFexit;
  EXPECT_EQ(nested.check().log, "Cannot extend fentry/fexit\n");
}

// ---- Calls that keep registers

TEST(Prepare, PairsAroundCallsThatKeepRegisters) {
  const struct {
    const char* what;
    const char* program;
    unsigned spills;
    std::uint32_t offset;
  } subjects[] = {
      {"one", "r1 = 1\n*(u64 *)(r10 -16) = r1\ncall bpf_get_smp_processor_id\nr1 = *(u64 *)(r10 -16)\nexit", 1, 8},
      {"another register",
       "r1 = 1\n*(u64 *)(r10 -16) = r1\ncall bpf_get_smp_processor_id\nr2 = *(u64 *)(r10 -16)\nexit", 0,
       Subprog::kNoFastcalls},
      {"one that it does not keep",
       "r0 = 1\n*(u64 *)(r10 -8) = r0\ncall bpf_get_smp_processor_id\nr0 = *(u64 *)(r10 -8)\nexit", 0,
       Subprog::kNoFastcalls},
      {"two, from the inside out",
       "r1 = 1\nr2 = 2\n*(u64 *)(r10 -8) = r1\n*(u64 *)(r10 -16) = r2\ncall bpf_get_smp_processor_id\n"
       "r2 = *(u64 *)(r10 -16)\nr1 = *(u64 *)(r10 -8)\nexit",
       2, 0},
      {"of a helper that keeps none",
       "r1 = 1\n*(u64 *)(r10 -16) = r1\ncall bpf_get_prandom_u32\nr1 = *(u64 *)(r10 -16)\nr0 = 0\nexit", 0, 8},
  };
  for (const auto& subject : subjects) {
    SCOPED_TRACE(subject.what);
    const auto insns = assembled(subject.program);
    const spec::VerifyInput input{.type = ProgType::SocketFilter, .insns = insns};
    Walk walk(input, Rules::Linux612);
    ASSERT_TRUE(prepare(walk));
    unsigned spills = 0;
    for (const InsnInfo& info : walk.info) spills += info.fastcall_spills;
    EXPECT_EQ(spills, subject.spills);
    EXPECT_EQ(walk.subprogs[0].fastcall_stack_offset, subject.offset);
  }
}

}  // namespace
}  // namespace skep::verifier
