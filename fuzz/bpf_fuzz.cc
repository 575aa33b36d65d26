// bpf(2) with attributes that a fuzzer wrote: sequences of commands on one hive. No call may crash.
// links: skep_hive
//
// A sequence is records of {command, which descriptor, attribute size, words}. An attribute's words are taken as they
// are, but for two that only somebody with a map of our address space could guess: a word of 0xa100... becomes an
// address in a scratch memory, and the first word becomes a descriptor of those made so far when the record says so.

#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "fuzz_input.h"
#include "hive/hive.h"
#include "spec/attr.h"
#include "spec/commands.h"

namespace {

using namespace skep;
using fuzz::Input;

constexpr std::size_t kMostCalls = 24;
constexpr std::size_t kMostFds = 16;
constexpr std::uint64_t kMarkMask = 0xffff000000000000;
constexpr std::uint64_t kMark = 0xa100000000000000;
constexpr std::uint32_t kMostEntries = 1024;
constexpr std::uint32_t kMostValueBytes = 1 << 16;
constexpr std::uint32_t kMostRepeats = 8;

struct Record {
  std::uint8_t command;
  std::uint8_t descriptor;  // 0: as written; n: the n-th of those made
  std::uint8_t words;
  std::uint8_t size;  // bytes of attribute; 255: all
};

// A process whose writable memory is `memory` and the attribute: a fuzzer that has the hive write where it likes, as a
// kernel would, corrupts nobody but itself. Reading goes anywhere.
class Confined final : public hive::Caller {
 public:
  explicit Confined(Bytes memory) : memory_(memory) {}
  void attribute(Bytes attr) { attr_ = attr; }

  bool copy_in(std::uint64_t address, MutableBytes to) noexcept override { return process_.copy_in(address, to); }
  bool copy_out(std::uint64_t address, Bytes from) noexcept override {
    return (inside(memory_, address, from.size()) || inside(attr_, address, from.size())) &&
           process_.copy_out(address, from);
  }
  Fd descriptor(int fd) noexcept override { return process_.descriptor(fd); }
  int install(Fd object) noexcept override { return process_.install(std::move(object)); }
  int close(int) noexcept override { return -EBADF; }
  hive::Privilege privilege() const noexcept override { return process_.privilege(); }
  bool maps_writable(std::uint64_t inode, std::uint64_t own) noexcept override {
    return process_.maps_writable(inode, own);
  }
  std::uint64_t mapped_at(std::uint64_t inode, std::uint64_t own) noexcept override {
    return process_.mapped_at(inode, own);
  }

 private:
  static bool inside(Bytes place, std::uint64_t address, std::size_t size) {
    const std::uint64_t offset = address - reinterpret_cast<std::uintptr_t>(place.data());
    return offset <= place.size() && size <= place.size() - offset;
  }

  hive::LocalCaller process_;
  Bytes memory_, attr_;
};

// Keeps what the hive would grant, but the fuzzing machine would not.
void bound(std::uint8_t command, spec::Attr& attr) {
  switch (spec::Command{command}) {
    case spec::Command::MapCreate:
      attr.map_create.max_entries %= kMostEntries * 8;
      attr.map_create.value_size %= kMostValueBytes;
      break;
    case spec::Command::ProgTestRun: attr.test.repeat %= kMostRepeats; break;
    default: break;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto created = hive::Hive::create({.engine = hive::Engine::Checked, .budget = 2000});
  if (!created) return 0;
  hive::Hive& hive = **created;
  Input input(std::as_bytes(std::span(data, size)));
  // The last part of the input is memory: instructions, BTF, packets.
  std::vector<std::byte> memory(4096);
  input.take(MutableBytes(memory).first(std::min<std::size_t>(memory.size(), size / 2)));
  Confined caller(memory);
  std::vector<int> fds;
  for (std::size_t calls = 0; calls < kMostCalls && !input.empty(); ++calls) {
    const auto record = input.take<Record>();
    alignas(8) std::array<std::uint64_t, sizeof(spec::Attr) / 8> words{};
    for (std::size_t i = 0; i < record.words % (words.size() + 1); ++i) {
      words[i] = input.take<std::uint64_t>();
      if ((words[i] & kMarkMask) == kMark)
        words[i] = reinterpret_cast<std::uintptr_t>(memory.data()) + words[i] % memory.size();
    }
    spec::Attr attr;
    std::memcpy(&attr, words.data(), sizeof attr);
    if (record.descriptor != 0 && !fds.empty()) {
      const int fd = fds[record.descriptor % fds.size()];
      std::memcpy(&attr, &fd, sizeof fd);
    }
    const auto command = static_cast<std::uint8_t>(record.command % 40);
    bound(command, attr);
    caller.attribute(bytes_of(attr));
    const std::uint32_t bytes = record.size == 255 ? sizeof attr : record.size;
    const long result = hive.call(caller, command, reinterpret_cast<std::uintptr_t>(&attr),
                                  std::min<std::uint32_t>(bytes, sizeof attr));
    if (result < -4095) std::abort();
    const bool made = result > 2 && hive::Hive::owns(static_cast<int>(result));
    if (made && fds.size() < kMostFds)
      fds.push_back(static_cast<int>(result));
    else if (made || (result > 2 && spec::Command{command} == spec::Command::EnableStats))
      ::close(static_cast<int>(result));
  }
  for (const int fd : fds) ::close(fd);
  return 0;
}
