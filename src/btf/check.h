// How Btf::parse() checks: inside this folder only.
//
// Three passes, as in the kernel: each type alone (check_meta.cc), how types refer to each other (check_resolve.cc, a
// depth-first search with an explicit stack of at most 32 types), the order of type tags. Whatever is wrong stops the
// check with a line that names the type. Tested by: btf/kernel_test.cc.
#pragma once

#include <fmt/format.h>

#include <string>
#include <vector>

#include "btf/btf.h"

namespace skep::btf {

// The text of a check as BPF_BTF_LOAD writes it. Without a place to write to, only errors are rendered.
class Log {
 public:
  explicit Log(std::string* text) : text_(text) {}
  bool wanted() const noexcept { return text_ != nullptr; }
  void line(std::string_view text);   // and ends the line
  void write(std::string_view text);  // the kernel leaves the lines of some errors open

 private:
  std::string* text_;
};

// A name in the log: "(anon)" for what has none.
std::string_view shown(const Type& type, std::uint32_t name_off);
// "[3] STRUCT flow size=8 vlen=2": a type as the log shows it.
std::string describe(const Type& type);
// `type` stands in for the type of the member, unless it is 0.
std::string describe_member(const Type& composite, std::uint32_t i, std::uint32_t type = 0);
std::string describe_variable(const Variable& variable);

bool is_identifier(std::string_view name) noexcept;
bool is_section_name(std::string_view name) noexcept;

class Checker {
 public:
  Checker(Btf& btf, std::string* log, Rules rules) : btf_(btf), log_(log), rules_(rules) {}
  Result<> check();

 private:
  // ---- check.cc
  Result<> header();
  Result<> sections();
  Result<> strings();
  Result<> types_alone();
  Result<> tags_first();
  void index_names();
  std::unexpected<Error> refuse(int code, std::string text);
  // "[id] KIND name details message"
  std::unexpected<Error> refuse(const Type& type, std::string_view message, int code = EINVAL);
  std::unexpected<Error> refuse_member(const Type& composite, std::uint32_t i, std::string_view message,
                                       std::uint32_t type = 0);
  std::unexpected<Error> refuse_variable(const Type& section, std::uint32_t i, std::string_view message);

  // ---- check_meta.cc: the bytes one type takes
  Result<std::size_t> meta(std::uint32_t id, const RawType& raw, Bytes rest);
  Result<> alone(const Type& type);
  Result<> int_alone(const Type& type);
  Result<> reference_alone(const Type& type);
  Result<> array_alone(const Type& type);
  Result<> composite_alone(const Type& type);
  Result<> enum_alone(const Type& type);
  Result<> func_alone(const Type& type);
  Result<> var_alone(const Type& type);
  Result<> datasec_alone(const Type& type);
  Result<> tag_alone(const Type& type);
  bool named(const Type& type, bool (*valid)(std::string_view) noexcept) const;

  // ---- check_resolve.cc
  enum class Visit : std::uint8_t { Not, Started, Done };
  enum class Mode : std::uint8_t { Undecided, Pointer, Composite };
  struct Frame {
    std::uint32_t id;
    std::uint32_t next;  // member or variable to go on with
  };
  // What one step of the search did: finished the type on top, or put another one on the stack.
  enum class Step : std::uint8_t { Finished, Descended };

  Result<> types_together();
  Result<> search(std::uint32_t id);
  Result<> push(std::uint32_t id);
  Result<Step> descend(std::uint32_t id);
  Step finish(std::uint32_t id, std::uint32_t resolved, std::uint32_t size);
  Result<Step> step(Frame& top);
  Result<Step> modifier_step(const Type& type);
  Result<Step> pointer_step(const Type& type);
  Result<Step> var_step(const Type& type);
  Result<Step> array_step(const Type& type);
  Result<Step> composite_step(const Type& type, Frame& top);
  Result<Step> datasec_step(const Type& type, Frame& top);
  Result<Step> func_step(const Type& type);
  Result<Step> decl_tag_step(const Type& type);
  Result<> member_fits(const Type& composite, std::uint32_t i);
  Result<> int_member(const Type& composite, std::uint32_t i, const Type& type);
  Result<> enum_member(const Type& composite, std::uint32_t i, std::uint32_t target);
  Result<> func_proto(const Type& type);

  bool must_wait(std::uint32_t id) const;       // neither resolved nor an end of the current search
  bool refers_wrongly(std::uint32_t id) const;  // no such type, or one that nothing may refer to
  // The type a value of `id` has and its bytes; nullopt when it has no size (yet).
  struct Sized {
    std::uint32_t id;
    std::uint32_t bytes;
  };
  std::optional<Sized> sized(std::uint32_t id) const;
  bool may_be_referred_to_without_size(std::uint32_t id) const;
  std::uint32_t resolved(
      std::uint32_t id) const;  // what a finished reference leads to; itself while it is not finished
  std::optional<std::uint32_t> pointer_behind(std::uint32_t id) const;

  Btf& btf_;
  Log log_;
  Rules rules_;
  RawHeader header_{};
  std::vector<Visit> visits_;
  std::vector<Frame> stack_;
  Mode mode_ = Mode::Undecided;
};

}  // namespace skep::btf
