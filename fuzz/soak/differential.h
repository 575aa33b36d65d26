// One verified program on interpreter and compiled code: the same input, and afterwards the same result and the same
// bytes everywhere a program can reach.
//
// Compared are r0 (or that the program was stopped), the packet with its surroundings, the context, and the whole
// memory of every map it uses. All forms of compiled code are compared: as it is, hardened (blinding, retpolines), for
// a processor without extensions, and the form that counts instructions. A program whose loader may see addresses can
// return one, and read what it never wrote to its stack: where engines differ, the interpreter runs it again with its
// stack elsewhere, and once more with every access checked, and only a program that is then still the same has shown a
// difference. Tested by: soak/soak_test.cc.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "exec/executable.h"
#include "exec/failure.h"
#include "soundness/trial.h"

namespace skep::soak {

enum class Form : std::uint8_t { Plain, Hardened, Bare, Counting };
inline constexpr std::string_view kFormNames[] = {"plain", "hardened", "bare", "counting"};
inline constexpr std::size_t kForms = std::size(kFormNames);

// The memory of a map, seen from outside of it.
class MapMemory {
 public:
  explicit MapMemory(const maps::Map& map);
  ~MapMemory();
  MapMemory(MapMemory&& other) noexcept;
  MapMemory& operator=(MapMemory&&) = delete;
  std::span<std::byte> bytes() const noexcept { return bytes_; }

 private:
  std::span<std::byte> bytes_;
};

class Differential {
 public:
  enum class Outcome : std::uint8_t {
    Same,
    Cut,        // the program ran too long to be compared
    Addresses,  // what it says depends on where things lie, or on what was on the stack before
    Different,
  };
  struct Found {
    Outcome outcome = Outcome::Same;
    std::string what = {};  // Different: what
  };

  // `trial` is ready, and outlives this.
  Differential(soundness::World& world, soundness::Trial& trial, spec::ProgType type);
  // Why there is no compiled code; empty: there is.
  const std::string& obstacle() const noexcept { return obstacle_; }

  Found run(Form form, std::uint64_t seed);
  // Compiled code is replaced, for tests of the comparison itself.
  void replace(Form form, std::unique_ptr<exec::Executable> code) {
    compiled_[static_cast<std::size_t>(form)] = std::move(code);
  }

 private:
  // What a run leaves behind.
  struct Left {
    std::uint64_t result = 0;
    exec::Failure::Kind stopped = exec::Failure::Kind::None;
    std::vector<std::byte> memory;
    friend bool operator==(const Left&, const Left&) = default;
  };

  void prepare(std::uint64_t seed);
  Left run(const exec::Executable& code, std::uint64_t seed, std::uint64_t budget);
  Left run_with_stack_elsewhere(std::uint64_t seed);
  static void scribble_stack(std::byte with);
  bool depends_on_stack(std::uint64_t seed);
  void save(std::vector<std::byte>& to) const;
  void restore(const std::vector<std::byte>& from);
  std::string difference(const Left& expected, const Left& got) const;

  soundness::World& world_;
  spec::ProgType type_;
  exec::ContextKind context_;
  std::string obstacle_;
  std::vector<const soundness::WorldMap*> maps_;
  std::vector<MapMemory> memories_;
  std::unique_ptr<exec::Executable> strict_;
  std::unique_ptr<exec::Executable> interpreted_;
  std::array<std::unique_ptr<exec::Executable>, kForms> compiled_;
  soundness::Input input_;
  std::vector<std::byte> start_;
  std::optional<std::uint64_t> prepared_;  // the seed whose input is in start_
  Left expected_;                          // of the interpreter, on it
  bool reads_unwritten_ = false;           // stack, on it
};

}  // namespace skep::soak
