// Writes one random program, as the text that isa/asm.h reads, and knows roughly what its registers hold, so that most
// of what it writes is meaningful. Now and then it slips: a bound one too large, a check left out, a wrong register.
//
// A fragment is a member function that appends some lines. body() strings fragments of a class together, branches and
// loops nest bodies. Where paths meet, what is known is what all of them know.
#pragma once

#include <array>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "judge/program.h"
#include "judge/targets.h"
#include "spec/helpers.h"

namespace skep::judge {

enum class Holds : std::uint8_t { Nothing, Number, Context, Stack, Value, Packet, PacketEnd };
struct Register {
  Holds holds = Holds::Nothing;
  std::int64_t extent = kUnknown;  // Number: its largest value; Value, Packet: bytes behind it; Stack: bytes below r10
  static constexpr std::int64_t kUnknown = -1;
  friend bool operator==(const Register&, const Register&) = default;
};
using Registers = std::array<Register, 10>;

class Author {
 public:
  Author(Class about, std::uint64_t seed);

  // The text; functions() says which label has which prototype.
  std::string write();
  const Target& target() const { return *target_; }
  std::uint32_t flags();
  struct Label {
    std::string name;
    std::string prototype;
  };
  const std::vector<Label>& functions() const { return functions_; }

  // Fragments, by file.
  void arithmetic();  // author_numbers.cc
  void unary();
  void move();
  void bound();
  void pointer_arithmetic();
  void source();
  void branch();  // author_branches.cc
  void early_exit();
  void compare_pointers();
  void stack_access();  // author_memory.cc
  void spill();
  void variable_stack();
  void atomic();
  void context_access();
  void lookup();
  void update();
  void direct_value();
  void value_access();
  void inner_map();
  void queue();
  void ring();
  void tail_call();
  void locked();
  void packet();  // author_packets.cc
  void packet_access();
  void packet_load();
  void packet_helper();
  void helper();  // author_helpers.cc
  void any_helper();
  void socket();
  void dynptr();
  void task();
  void counted_loop();  // author_loops.cc
  void iterator_loop();
  void callback_loop();
  void may_goto();
  void walk_map();
  void call_function();  // author_functions.cc
  void section();

 private:
  template <class... Args>
  void line(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(text_), format, std::forward<Args>(args)...);
    text_ += '\n';
  }
  unsigned below(std::size_t n) { return static_cast<unsigned>(random_() % n); }
  bool chance(unsigned one_in) { return below(one_in) == 0; }
  bool slip() { return slips_ != 0 && below(slips_) == 0; }
  template <class T, std::size_t N>
  const T& one_of(const T (&rows)[N]) {
    return rows[below(N)];
  }
  std::int64_t immediate();
  std::string label() { return fmt::format("l{}", labels_++); }
  const std::string& way_out();  // a label where the function ends with r0 = 0

  // Registers.
  Register& reg(unsigned n) { return registers_[n]; }
  void set(unsigned n, Holds holds, std::int64_t extent = Register::kUnknown) { registers_[n] = {holds, extent}; }
  unsigned any(Holds holds);           // some register that holds it; kNone when there is none
  unsigned spare();                    // to be overwritten: none that is held, never the only one with the context
  unsigned saved();                    // the same, of r6 to r9
  unsigned number();                   // a number, made when there is none
  unsigned bounded(std::int64_t max);  // a number from 0 to max; most of the time
  bool is_held(unsigned n) const { return (held_ >> n & 1) != 0; }
  class Hold {
   public:
    template <class... Numbers>
    explicit Hold(Author& author, Numbers... numbers) : author_(author), before_(author.held_) {
      ((author_.held_ |= static_cast<std::uint16_t>(1U << numbers)), ...);
    }
    ~Hold() { author_.held_ = before_; }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    Author& author_;
    std::uint16_t before_;
  };
  void clobber();               // what a call leaves of r0 to r5
  bool context_to(unsigned n);  // r`n` = the context; false when nobody has it
  void stack_to(unsigned n, int depth) {
    line("r{} = r10", n);
    line("r{} += {}", n, -depth);
    set(n, Holds::Stack, depth);
  }
  void limit(unsigned n, std::int64_t max);
  void meet(const Registers& other);
  static constexpr unsigned kNone = 10;

  // Pieces of fragments.
  using Fragment = void (Author::*)();
  void fragment();
  void body(unsigned fragments);
  void quiet_body();
  void start();
  void finish();
  void write_functions();
  void write_function(std::string_view label, std::string_view prototype);
  std::string need_function(std::string_view prototype);
  void key(std::string_view map, int depth);
  void variable_packet_access(unsigned base, unsigned end, unsigned bytes);
  void packet_byte(unsigned base, std::int64_t offset, unsigned bytes);
  void access(unsigned base, std::int64_t offset, unsigned bytes);
  void value_to(std::string_view map);
  void access_value(unsigned base, std::int64_t bytes);
  void argument(const spec::Helper& helper, std::size_t index, std::string_view map);
  void memory_argument(unsigned n, const spec::ArgInfo& kind);
  void result(const spec::Helper& helper, std::string_view map);
  std::string_view map_for(spec::HelperId helper);
  void condition(std::string_view target);

  std::mt19937 random_;
  Class about_;
  const Target* target_;
  unsigned slips_ = 0;  // one in so many goes wrong; 0: none
  std::string text_;
  unsigned labels_ = 0;
  unsigned depth_ = 0;
  unsigned budget_ = 0;  // fragments that may still be written
  bool in_function_ = false;
  unsigned iterators_ = 0;
  bool used_may_goto_ = false;  // loops without a count may take a verifier a million steps
  std::uint16_t held_ = 0;      // registers that must stay: counters of loops around, operands of the fragment
  Registers registers_;
  std::string way_out_;
  std::vector<Label> functions_;
  std::size_t written_functions_ = 0;
};

}  // namespace skep::judge
