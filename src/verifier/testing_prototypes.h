// For tests: the BTF of a program's functions.
//
// Each has a prototype in words: "int", "long", "ctx" (struct __sk_buff *), "int *", "long *", "pair *" (16 bytes),
// "void *", "later *" (declared only), "task *", "dynptr *", "float", "none". A parameter may bear tags.
#pragma once

#include <map>
#include <string_view>
#include <vector>

#include "btf/testing_builder.h"

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
class FunctionTypes {
 public:
  explicit FunctionTypes(const std::vector<Function>& functions) {
    add_types();
    for (const Function& function : functions) add(function);
    bytes_ = builder_.bytes();
  }
  const std::vector<std::byte>& bytes() const { return bytes_; }
  std::uint32_t id_of(std::string_view function) const { return functions_.at(function); }

 private:
  void add_pointer(std::string_view name, std::uint32_t target) {
    types_[name] = builder_.add(btf::Kind::Ptr, "", target);
  }
  void add_types() {
    const std::uint32_t number = types_["int"] = builder_.add_int("int", 4, btf::kSigned);
    types_["none"] = 0;
    const std::uint32_t wide = types_["long"] = builder_.add_int("long", 8, btf::kSigned);
    types_["float"] = builder_.add(btf::Kind::Float, "float", 4);
    add_pointer("ctx", builder_.add_struct("__sk_buff", 4, {{"len", number, 0}}));
    add_pointer("int *", number);
    add_pointer("long *", wide);
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

}  // namespace skep::verifier::testing
