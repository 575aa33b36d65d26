#include "jit/code_memory.h"

#include <fmt/format.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace skep::jit {
namespace {

constexpr std::size_t kGrain = 64;                      // blocks begin and end at multiples of it
constexpr std::size_t kChunk = std::size_t{128} << 10;  // populated at once
constexpr int kRun = PROT_READ | PROT_EXEC, kWrite = PROT_READ | PROT_WRITE;
constexpr int kTrap = 0xcc;                                // int3
constexpr std::int64_t kStep = std::int64_t{32} << 20;     // between the places that are tried
constexpr std::int64_t kFarthest = std::int64_t{3} << 29;  // 1.5 GiB: everything in the library stays within reach
constexpr unsigned kMfdExec = 0x10, kMfdNoexecSeal = 0x8;  // newer than our C library

// A memfd that may be mapped to run. Kernels differ in what they want to hear about that.
int code_memfd() noexcept {
  for (const unsigned flags : {kMfdExec, 0U, kMfdNoexecSeal})
    if (const int fd = ::memfd_create("skep-code", MFD_CLOEXEC | flags); fd >= 0) return fd;
  return -1;
}

// Without a descriptor, anonymous memory.
std::byte* map_at(std::byte* hint, std::size_t bytes, int protection, int fd, int flags) noexcept {
  void* const got = ::mmap(hint, bytes, protection, MAP_SHARED | flags | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);
  if (got == MAP_FAILED) return nullptr;
  if (flags == MAP_FIXED_NOREPLACE && got != hint) {  // a kernel that does not know the flag took it for a hint
    ::munmap(got, bytes);
    return nullptr;
  }
  return static_cast<std::byte*>(got);
}

// To run, near this function: below it first, because the heap grows above the program; else anywhere.
std::byte* map_near(std::size_t bytes, int fd) noexcept {
  const auto here = reinterpret_cast<std::int64_t>(&map_near) & ~(kStep - 1);
  const auto size = static_cast<std::int64_t>(bytes);
  for (std::int64_t away = kStep + size; away <= kFarthest && away < here; away += kStep)
    if (auto* at = map_at(reinterpret_cast<std::byte*>(here - away), bytes, kRun, fd, MAP_FIXED_NOREPLACE)) return at;
  for (std::int64_t away = kFarthest - size; away > 0; away -= kStep)
    if (auto* at = map_at(reinterpret_cast<std::byte*>(here + away), bytes, kRun, fd, MAP_FIXED_NOREPLACE)) return at;
  return map_at(nullptr, bytes, kRun, fd, 0);
}

// The same memory once more, at `at` (in place of what is there) or anywhere.
std::byte* map_again(std::byte* from, std::size_t bytes, int protection, std::byte* at) noexcept {
  const int flags = at != nullptr ? MREMAP_MAYMOVE | MREMAP_FIXED : MREMAP_MAYMOVE;
  void* const got = ::mremap(from, 0, bytes, flags, at);
  if (got == MAP_FAILED) return nullptr;
  if (::mprotect(got, bytes, protection) == 0) return static_cast<std::byte*>(got);
  if (at == nullptr) ::munmap(got, bytes);
  return nullptr;
}

std::unexpected<Error> denied(std::string_view what) {
  const int error = errno;
  return fail(error, fmt::format("executable memory is not to be had here: {}: {}", what, std::strerror(error)));
}

}  // namespace

struct CodeMemory::Arena {
  std::size_t bytes = 0;
  Fd memfd;  // none: anonymous memory
  std::byte* run = nullptr;
  std::byte* write = nullptr;
  std::byte* own = nullptr;                 // a page that says 1 in the process that mapped the arena
  std::size_t populated = 0;                // bytes from the start
  std::size_t used = 0;                     // in blocks
  std::map<std::size_t, std::size_t> free;  // size by offset; no two touch
  Fd twin;                                  // the copy for a child that is being forked,
  std::byte* anonymous_twin = nullptr;      // or its memory
  bool abandoned = false;                   // belongs to another process: nothing may be written

  ~Arena() {
    if (run != nullptr) ::munmap(run, bytes);
    if (write != nullptr) ::munmap(write, bytes);
    if (own != nullptr) ::munmap(own, 1);
  }
  bool inherited() const noexcept { return abandoned || (own != nullptr && *own == std::byte{}); }

  Result<std::size_t> take(std::size_t size);
  Result<> populate(std::size_t end);
  void copy() noexcept;
  void copy_to_file() noexcept;
  bool become_copy() noexcept;
  void drop_copy() noexcept;
};

// ---- Arena

Result<std::size_t> CodeMemory::Arena::take(std::size_t size) {
  const auto found = std::ranges::find_if(free, [&](const auto& piece) { return piece.second >= size; });
  if (found == free.end())
    return fail(ENOMEM,
                fmt::format("the {} MiB for compiled code are used up: {} bytes more do not fit", bytes >> 20, size));
  const auto [offset, room] = *found;
  TRY_VOID(populate(offset + size));
  free.erase(found);
  if (room > size) free[offset + size] = room - size;
  used += size;
  return offset;
}

Result<> CodeMemory::Arena::populate(std::size_t end) {
  if (end <= populated) return {};
  const std::size_t upto = std::min((end + kChunk - 1) / kChunk * kChunk, bytes);
  if (::madvise(write + populated, upto - populated, MADV_POPULATE_WRITE) != 0 && errno != EINVAL)
    return fail(errno, fmt::format("there is no memory for compiled code: {}", std::strerror(errno)));
  ::madvise(run + populated, upto - populated, MADV_POPULATE_READ);
  populated = upto;
  return {};
}

// Into a twin, which is missing afterwards when there is no memory for it.
void CodeMemory::Arena::copy() noexcept {
  if (memfd) return copy_to_file();
  anonymous_twin = map_at(nullptr, bytes, kWrite, -1, 0);
  if (anonymous_twin != nullptr) std::memcpy(anonymous_twin, write, populated);
}

void CodeMemory::Arena::copy_to_file() noexcept {
  Fd made(code_memfd());
  if (!made || ::ftruncate(made.get(), static_cast<off_t>(bytes)) != 0) return;
  std::size_t done = 0;
  while (done < populated) {
    const ssize_t wrote = ::pwrite(made.get(), write + done, populated - done, static_cast<off_t>(done));
    if (wrote <= 0) return;
    done += static_cast<std::size_t>(wrote);
  }
  twin = std::move(made);
}

void CodeMemory::Arena::drop_copy() noexcept {
  twin.reset();
  if (anonymous_twin != nullptr) ::munmap(std::exchange(anonymous_twin, nullptr), bytes);
}

bool CodeMemory::Arena::become_copy() noexcept {
  if (anonymous_twin != nullptr)
    return map_again(anonymous_twin, bytes, kRun, run) != nullptr &&
           map_again(anonymous_twin, bytes, kWrite, write) != nullptr;
  if (!twin || map_at(run, bytes, kRun, twin.get(), MAP_FIXED) == nullptr) return false;
  if (map_at(write, bytes, kWrite, twin.get(), MAP_FIXED) == nullptr) return false;
  memfd = std::move(twin);
  return true;
}

// ---- Blocks

CodeMemory::Block::Block(CodeMemory& memory, std::shared_ptr<Arena> arena, std::size_t offset, std::size_t size)
    : memory_(&memory), arena_(std::move(arena)), code_(arena_->run + offset), size_(size) {}

CodeMemory::Block::Block(Block&& other) noexcept
    : memory_(other.memory_),
      arena_(std::move(other.arena_)),
      code_(std::exchange(other.code_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

CodeMemory::Block& CodeMemory::Block::operator=(Block&& other) noexcept {
  std::swap(memory_, other.memory_);
  std::swap(arena_, other.arena_);
  std::swap(code_, other.code_);
  std::swap(size_, other.size_);
  return *this;
}

CodeMemory::Block::~Block() {
  if (code_ == nullptr) return;
  const std::scoped_lock lock(memory_->mutex_);
  memory_->give_back(*arena_, static_cast<std::size_t>(code_ - arena_->run), size_);
}

std::byte* CodeMemory::Block::writable() const noexcept { return arena_->write + (code_ - arena_->run); }

// ---- The memory

CodeMemory::~CodeMemory() = default;

CodeMemory& CodeMemory::of_process() {
  // Never destroyed: code may run until the process ends, and handlers of fork cannot be taken back.
  static CodeMemory* const memory = [] {
    auto* made = new CodeMemory;
    ::pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
    return made;
  }();
  return *memory;
}

Result<std::shared_ptr<CodeMemory::Arena>> CodeMemory::map() {
  auto arena = std::make_shared<Arena>();
  arena->bytes = bytes_;
  if (in_file_) arena->memfd = Fd(code_memfd());
  if (in_file_ && !arena->memfd) return denied("memfd_create");
  if (in_file_ && ::ftruncate(arena->memfd.get(), static_cast<off_t>(bytes_)) != 0) return denied("ftruncate");
  arena->run = map_near(bytes_, in_file_ ? arena->memfd.get() : -1);
  if (arena->run == nullptr) return denied("mmap");
  arena->write = in_file_ ? map_at(nullptr, bytes_, kWrite, arena->memfd.get(), 0)
                          : map_again(arena->run, bytes_, kWrite, nullptr);
  if (arena->write == nullptr) return denied("mmap");
  void* const own = ::mmap(nullptr, 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (own != MAP_FAILED) {
    arena->own = static_cast<std::byte*>(own);
    *arena->own = std::byte{1};
    ::madvise(own, 1, MADV_WIPEONFORK);
  }
  arena->free[kGrain] = bytes_ - kGrain;  // some compilers look at what is before a function they call
  return arena;
}

Result<> CodeMemory::prepare() {
  if (arena_ && !arena_->inherited()) return {};
  TRY(arena_, map());
  return {};
}

Result<CodeMemory::Range> CodeMemory::range() {
  const std::scoped_lock lock(mutex_);
  TRY_VOID(prepare());
  const auto first = reinterpret_cast<std::uint64_t>(arena_->run);
  return Range{first, first + bytes_};
}

Result<CodeMemory::Block> CodeMemory::allocate(std::size_t size) {
  size = std::max<std::size_t>((size + kGrain - 1) / kGrain * kGrain, kGrain);
  const std::scoped_lock lock(mutex_);
  TRY_VOID(prepare());
  TRY(const std::size_t offset, arena_->take(size));
  return Block(*this, arena_, offset, size);
}

void CodeMemory::give_back(Arena& arena, std::size_t offset, std::size_t size) noexcept {
  if (arena.inherited()) return;
  std::memset(arena.write + offset, kTrap, size);
  arena.used -= size;
  const auto behind = arena.free.lower_bound(offset);
  if (behind != arena.free.end() && behind->first == offset + size) {
    size += behind->second;
    arena.free.erase(behind);
  }
  const auto next = arena.free.lower_bound(offset);
  if (next != arena.free.begin())
    if (const auto before = std::prev(next); before->first + before->second == offset) {
      before->second += size;
      return;
    }
  arena.free[offset] = size;
}

void CodeMemory::stand_in_no_file() noexcept {
  const std::scoped_lock lock(mutex_);
  if (!arena_ || arena_->inherited()) in_file_ = false;
}

std::size_t CodeMemory::used() const {
  const std::scoped_lock lock(mutex_);
  return arena_ ? arena_->used : 0;
}

// ---- Fork. The lock is held over it, so that what is copied is whole.

void CodeMemory::before_fork() {
  CodeMemory& memory = of_process();
  memory.mutex_.lock();
  if (memory.arena_ && !memory.arena_->inherited()) memory.arena_->copy();
}

void CodeMemory::after_fork_in_parent() {
  CodeMemory& memory = of_process();
  if (memory.arena_) memory.arena_->drop_copy();
  memory.mutex_.unlock();
}

void CodeMemory::after_fork_in_child() {
  CodeMemory& memory = of_process();
  if (Arena* arena = memory.arena_.get(); arena != nullptr && !arena->abandoned) {
    arena->abandoned = !arena->become_copy();
    if (!arena->abandoned && arena->own != nullptr) *arena->own = std::byte{1};
    arena->drop_copy();
  }
  memory.mutex_.unlock();
}

}  // namespace skep::jit
