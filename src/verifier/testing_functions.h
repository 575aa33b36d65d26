// For tests: programs of several functions with BTF, judged here and by the running kernel.
//
// The labels of the text are its functions; each has a prototype in words: "int", "long", "ctx" (struct __sk_buff *),
// "int *", "pair *" (16 bytes), "void *", "later *" (declared only), "task *", "dynptr *", "float", "none". A parameter
// may bear tags.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "btf/testing_builder.h"
#include "verifier/explore/testing_judge.h"

namespace skep::verifier::testing {

struct Parameter {
  std::string_view type;
  std::vector<std::string_view> tags = {};  // "arg:nonnull"
};
struct Function {
  std::string_view name;  // of its label; the first is the main program
  std::vector<Parameter> parameters = {{"ctx"}};
  std::string_view result = "int";
  btf::Linkage linkage = btf::Linkage::Global;
};
struct FunctionCase {
  const char* title;
  const char* program;
  std::vector<Function> functions;
  spec::ProgType type = spec::ProgType::SchedCls;
};

class FunctionTypes {
 public:
  explicit FunctionTypes(const FunctionCase& subject) {
    add_types();
    for (const Function& function : subject.functions) add(function);
    bytes_ = builder_.bytes();
  }
  const std::vector<std::byte>& bytes() const { return bytes_; }
  std::uint32_t id_of(std::string_view function) const { return functions_.at(function); }

 private:
  void add_pointer(std::string_view name, std::uint32_t target) {
    types_[name] = builder_.add(btf::Kind::Ptr, "", target);
  }
  void add_types() {
    const auto number = types_["int"] = builder_.add_int("int", 4, btf::kSigned);
    types_["none"] = 0;
    types_["long"] = builder_.add_int("long", 8, btf::kSigned);
    types_["float"] = builder_.add(btf::Kind::Float, "float", 4);
    add_pointer("ctx", builder_.add_struct("__sk_buff", 4, {{"len", number, 0}}));
    add_pointer("int *", number);
    add_pointer("pair *", builder_.add_struct("pair", 16, {{"a", number, 0}, {"b", number, 32}}));
    add_pointer("void *", 0);
    add_pointer("later *", builder_.add(btf::Kind::Fwd, "later", 0));
    add_pointer("task *", builder_.add_struct("task_struct___mine", 4, {{"pid", number, 0}}));
    add_pointer("dynptr *", builder_.add_struct("bpf_dynptr", 16, {{"x", number, 0}}));
    add_pointer("xdp *", builder_.add_struct("xdp_md", 4, {{"data", number, 0}}));
    add_pointer("nobody *", builder_.add_struct("nobody_knows_this", 4, {{"x", number, 0}}));
  }
  void add(const Function& function) {
    const auto count = static_cast<std::uint32_t>(function.parameters.size());
    const std::uint32_t proto = builder_.add(btf::Kind::FuncProto, "", types_.at(function.result), count);
    for (const Parameter& parameter : function.parameters) {
      builder_.word(builder_.string("p"));
      builder_.word(types_.at(parameter.type));
    }
    const std::uint32_t id = functions_[function.name] =
        builder_.add(btf::Kind::Func, function.name, proto, static_cast<std::uint32_t>(function.linkage));
    for (std::uint32_t i = 0; i < count; ++i)
      for (const std::string_view tag : function.parameters[i].tags)
        builder_.add(btf::Kind::DeclTag, tag, id, 0, false, {i});
  }

  btf::testing::Builder builder_;
  std::map<std::string_view, std::uint32_t> types_, functions_;
  std::vector<std::byte> bytes_;
};

inline std::vector<btf::FuncInfo> function_infos(const FunctionCase& subject, const Assembled& program,
                                                 const FunctionTypes& types) {
  std::vector<btf::FuncInfo> infos{{0, types.id_of(subject.functions.front().name)}};
  for (const isa::Label& label : program.labels)
    for (const Function& function : subject.functions)
      if (label.name == function.name && label.insn != 0)
        infos.push_back({static_cast<std::uint32_t>(label.insn), types.id_of(function.name)});
  return infos;
}

inline Fd load_btf(const std::vector<std::byte>& bytes) {
  spec::Attr attr{};
  attr.btf_load.btf = reinterpret_cast<std::uint64_t>(bytes.data());
  attr.btf_load.btf_size = static_cast<std::uint32_t>(bytes.size());
  return Fd(static_cast<int>(command(spec::Command::BtfLoad, attr)));
}

// A case as both verifiers take it.
struct Prepared {
  explicit Prepared(const FunctionCase& subject)
      : program(assemble(subject.program)), types(subject), infos(function_infos(subject, program, types)) {
    if (auto made = btf::Btf::parse(types.bytes())) parsed = *std::move(made);
  }
  bool is_sound() const { return program.problem.empty() && parsed.has_value(); }
  btf::Records records() const {
    return {std::as_bytes(std::span(infos)), sizeof(btf::FuncInfo), static_cast<std::uint32_t>(infos.size())};
  }

  Assembled program;
  FunctionTypes types;
  std::vector<btf::FuncInfo> infos;
  std::optional<btf::Btf> parsed;
};

inline Verdict our_verdict(const FunctionCase& subject, const Prepared& made) {
  return verify({.type = subject.type,
                 .insns = made.program.insns,
                 .maps = made.program.maps,
                 .map_uses = made.program.uses,
                 .log_level = spec::kLogStates,
                 .kernel_btf = kernel_types(),
                 .btf = &*made.parsed,
                 .func_info = made.records()},
                rules_of_running_kernel());
}

inline void expect_same_judgement(const FunctionCase& subject) {
  SCOPED_TRACE(subject.title);
  const Prepared made(subject);
  ASSERT_TRUE(made.is_sound()) << made.program.problem;
  const Fd btf_fd = load_btf(made.types.bytes());
  ASSERT_TRUE(btf_fd);
  const Said said = ask_kernel(
      {.type = subject.type, .insns = made.program.insns, .btf_fd = btf_fd.get(), .func_info = made.records()});
  const Verdict ours = our_verdict(subject, made);
  EXPECT_EQ(ours.result ? 0 : ours.result.error().code, said.error) << ours.log << "\n" << said.log;
  EXPECT_EQ(sentences(ours.log), sentences(said.log)) << ours.log << "\n" << said.log;
}

}  // namespace skep::verifier::testing
