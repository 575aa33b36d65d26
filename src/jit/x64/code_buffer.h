// Machine code while it is written: bytes, and the places in them that depend on where other code ends up.
//
// A place (Site) is a jump, a call or an address of a label, or a call of an absolute address. Sites are written in
// their long form and kept in order; finish() finds the jumps that reach their label with one byte, closes the gaps
// they leave and fills every site in. Removing bytes never moves a label away from its jump, so what reaches once
// reaches always, and each round of looking costs one pass over the sites.
// Whoever writes calls reserve() before each piece of at most kPiece bytes. Tested by: jit/x64/assembler_test.cc.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace skep::jit::x64 {

enum class Condition : std::uint8_t { O, NO, B, AE, E, NE, BE, A, S, NS, P, NP, L, GE, LE, G };
constexpr Condition operator!(Condition condition) noexcept {
  return static_cast<Condition>(static_cast<std::uint8_t>(condition) ^ 1U);
}

// A place in the code, named before it is known.
struct Label {
  std::uint32_t id = 0;
};

// A 32-bit distance from behind itself to an absolute address, to be filled in when the code's own address is known.
struct Fixup {
  std::uint32_t at = 0;
  std::uint64_t target = 0;
};

class CodeBuffer {
 public:
  static constexpr std::size_t kPiece = 512;
  static constexpr std::uint32_t kAlignment = 32;  // where loops begin: that of blocks of code memory too

  explicit CodeBuffer(std::size_t expected);

  void reserve(std::size_t room = kPiece) {
    if (bytes_.size() - size_ < room) bytes_.resize(2 * bytes_.size() + room);
  }
  std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(size_); }

  void byte(unsigned value) noexcept { bytes_[size_++] = static_cast<std::uint8_t>(value); }
  template <class T>
  void value(T number) noexcept {
    std::memcpy(bytes_.data() + size_, &number, sizeof number);
    size_ += sizeof number;
  }

  // ---- labels
  Label label();
  void labels(std::size_t count) { labels_.resize(count); }  // those with the ids below `count`
  void bind(Label label) noexcept { labels_[label.id] = size(); }
  void jump(Label to);                   // jmp
  void jump(Condition when, Label to);   // jcc
  void call(Label to);                   // call
  void distance(Label to);               // the last four bytes of an instruction that works relative to its end
  void absolute(std::uint64_t address);  // the same, to an absolute address
  // `count` times the four bytes of the distance from `table` to `to`: entries of the table that `table` is bound to
  // the beginning of, without sites between.
  void entries(std::uint32_t count, Label to, Label table);
  void align();  // to a multiple of kAlignment, with instructions that do nothing

  // ---- jumps inside one piece, over at most 127 bytes of it without sites
  std::uint32_t skip(Condition when) noexcept {
    byte(0x70U + static_cast<unsigned>(when));
    byte(0);
    return size();
  }
  std::uint32_t skip() noexcept {
    byte(0xeb);
    byte(0);
    return size();
  }
  void land(std::uint32_t skipped) noexcept { bytes_[skipped - 1] = static_cast<std::uint8_t>(size() - skipped); }
  // Back to `start`, which skip-like jumps of the same piece may name.
  void back(Condition when, std::uint32_t start) noexcept {
    byte(0x70U + static_cast<unsigned>(when));
    byte(start - size() - 1);
  }

  // Afterwards nothing is written any more; the bytes, and where labels and absolute addresses are in them.
  void finish();
  std::span<const std::uint8_t> bytes() const noexcept { return std::span(bytes_).first(size_); }
  std::uint32_t offset(Label label) const noexcept { return moved(labels_[label.id]); }
  // Where what was written when size() was `at` is now.
  std::uint32_t moved(std::uint32_t at) const noexcept;
  std::span<const Fixup> fixups() const noexcept { return fixups_; }

 private:
  enum class Kind : std::uint8_t { Jump, Conditional, Distance, Absolute, Align };
  struct Site {
    std::uint32_t at;       // of its first byte, as written; Distance, Absolute: of the four bytes
    std::uint32_t label;    // index of the address in addresses_ for Absolute
    std::uint32_t removed;  // bytes that go away before it
    Kind kind;
    std::uint8_t saved;  // bytes that go away of it
  };
  struct Entries {
    std::uint32_t at, count, label, table;
  };
  static std::uint32_t long_bytes(Kind kind) noexcept;
  bool shorten();
  void place();
  void close_gaps();
  void fill();
  void fill_entries();

  std::vector<std::uint8_t> bytes_;
  std::size_t size_ = 0;
  std::vector<std::uint32_t> labels_;
  std::vector<Site> sites_;
  std::vector<Entries> entries_;
  std::vector<std::uint64_t> addresses_;
  std::vector<Fixup> fixups_;
};

}  // namespace skep::jit::x64
