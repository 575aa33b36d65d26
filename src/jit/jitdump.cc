// jit-PID.dump: the code itself with its lines and unwind tables, from which `perf inject --jit` makes object files, so
// that perf report and perf annotate show it although it is gone. perf record notices the file by an executable mapping
// of it, and wants its own clock to be CLOCK_MONOTONIC (-k mono). In the directory JITDUMPDIR, else the current one.
// Source: tools/perf/Documentation/jitdump-specification.txt of Linux.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>
#include <mutex>

#include "base/fd.h"
#include "jit/dwarf_writer.h"
#include "jit/tools.h"
#include "jit/unwind.h"

namespace skep::jit {
namespace {

constexpr std::uint32_t kMagic = 0x4a695444, kVersion = 1, kHeaderBytes = 40, kX86_64 = 62;
enum Record : std::uint8_t { kCodeLoad = 0, kDebugInfo = 2, kUnwindingInfo = 4 };

std::uint64_t now() noexcept {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(time.tv_nsec);
}

// The file of this process; a forked child has its own.
class Dump {
 public:
  static Dump& of_process() {
    static Dump dump;
    return dump;
  }

  void add(const Portrait& portrait) {
    const std::scoped_lock lock(mutex_);
    if (!ready()) return;
    for (std::size_t i = 0; i < portrait.functions.size(); ++i) {
      add_lines(portrait, portrait.functions[i]);
      add_unwinding(portrait, i);
      add_code(portrait, portrait.functions[i]);
    }
    const std::vector<std::byte> records = to_.take();
    [[maybe_unused]] const ssize_t written = ::write(fd_.get(), records.data(), records.size());
  }

 private:
  bool ready() {
    if (pid_ == ::getpid()) return bool(fd_);
    pid_ = ::getpid();
    index_ = 0;
    const char* folder = std::getenv("JITDUMPDIR");
    const std::string path = fmt::format("{}/jit-{}.dump", folder != nullptr && *folder ? folder : ".", pid_);
    fd_ = Fd(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644));
    if (!fd_) return false;
    DwarfWriter header;
    header.u32(kMagic);
    header.u32(kVersion);
    header.u32(kHeaderBytes);
    header.u32(kX86_64);
    header.u32(0);
    header.u32(static_cast<std::uint32_t>(pid_));
    header.u64(now());
    header.u64(0);
    const std::vector<std::byte> bytes = header.take();
    if (::write(fd_.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) fd_.reset();
    // The mark for perf record. It stays: the mapping is all that says where the file is.
    if (!fd_) return false;
    [[maybe_unused]] void* const mark = ::mmap(nullptr, kHeaderBytes, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd_.get(), 0);
    return true;
  }

  std::size_t begin(Record record) {
    const std::size_t start = to_.size();
    to_.u32(record);
    to_.u32(0);
    to_.u64(now());
    return start;
  }
  void end(std::size_t start) {
    to_.align(8);
    to_.set_u32(start + 4, to_.size() - start);
  }

  void add_lines(const Portrait& portrait, const Portrait::Function& function) {
    if (function.lines.empty()) return;
    const std::size_t start = begin(kDebugInfo);
    to_.u64(portrait.address(function.offset));
    to_.u64(function.lines.size());
    for (const Portrait::Line& line : function.lines) {
      to_.u64(portrait.address(line.offset));
      to_.u32(line.line);
      to_.u32(0);
      to_.text(line.file);
    }
    end(start);
  }

  // As perf lays its object files out: the code, at the next multiple of 8 the table, behind it an index of the table.
  void add_unwinding(const Portrait& portrait, std::size_t which) {
    constexpr std::uint32_t kIndexBytes = 20;
    const std::int64_t distance = (std::int64_t{portrait.functions[which].bytes} + 7) / 8 * 8;
    const std::vector<std::byte> table =
        unwind_table(portrait, which, which + 1, {Addressing::Kind::Relative, distance});
    const auto bytes = static_cast<std::int64_t>(table.size());
    const std::size_t start = begin(kUnwindingInfo);
    to_.u64(static_cast<std::uint64_t>(bytes + kIndexBytes));
    to_.u64(kIndexBytes);
    to_.u64(0);  // bytes of it that are mapped in the process
    to_.bytes(table);
    std::uint32_t common = 0;
    std::memcpy(&common, table.data(), sizeof common);
    to_.u8(1);     // version
    to_.u8(0x1b);  // of the table's address: relative to here, 4 bytes
    to_.u8(0x03);  // of the number of entries: 4 bytes
    to_.u8(0x3b);  // of entries: relative to the index, 4 bytes
    to_.u32(static_cast<std::uint64_t>(-bytes - 4));
    to_.u32(1);
    to_.u32(static_cast<std::uint64_t>(-distance - bytes));
    to_.u32(static_cast<std::uint64_t>(std::int64_t{common} + 4 - bytes));
    end(start);
  }

  void add_code(const Portrait& portrait, const Portrait::Function& function) {
    const std::size_t start = begin(kCodeLoad);
    to_.u32(static_cast<std::uint32_t>(pid_));
    to_.u32(static_cast<std::uint32_t>(::gettid()));
    to_.u64(portrait.address(function.offset));
    to_.u64(portrait.address(function.offset));
    to_.u64(function.bytes);
    to_.u64(index_++);
    to_.text(function.symbol);
    to_.bytes(portrait.code.subspan(function.offset, function.bytes));
    to_.set_u32(start + 4, to_.size() - start);  // perf finds the code at the record's end: no padding
  }

  std::mutex mutex_;
  int pid_ = 0;
  std::uint64_t index_ = 0;
  Fd fd_;
  DwarfWriter to_;
};

}  // namespace

void tell_jitdump(const Portrait& portrait) { Dump::of_process().add(portrait); }

}  // namespace skep::jit
