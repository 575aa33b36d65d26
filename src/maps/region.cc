#include "maps/region.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>

#include <cstdio>
#include <cstring>

#include "maps/words.h"

namespace skep::maps {
namespace {

constexpr std::uint64_t kMagic = 0x3270616d70656b73;  // "skepmap2"
constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
constexpr std::uint64_t kMostBytes = 1ULL << 46;  // of 47 address bits

std::string why(const char* what) { return std::string("map memory: ") + what + ": " + std::strerror(errno); }

// Memory that can be had without paging anything out: a preallocated map that exceeds it is refused at creation,
// before the machine's other programs suffer.
std::uint64_t available_bytes() {
  std::uint64_t kibibytes = UINT64_MAX >> 10;
  if (std::FILE* file = std::fopen("/proc/meminfo", "re")) {
    char line[128];
    unsigned long long value = 0;
    while (std::fgets(line, sizeof line, file) != nullptr)
      if (std::sscanf(line, "MemAvailable: %llu", &value) == 1) kibibytes = value;
    std::fclose(file);
  }
  return kibibytes << 10;
}

Result<> make_resident(int fd, std::size_t bytes) {
  constexpr std::size_t kSmall = 16U << 20;
  if (bytes == 0) return {};
  if (bytes > kSmall && bytes > available_bytes())
    return fail(ENOMEM, "map memory: " + std::to_string(bytes) + " bytes are more than is free");
  int error = 0;
  do error = ::fallocate(fd, 0, 0, static_cast<off_t>(bytes)) == 0 ? 0 : errno;
  while (error == EINTR);
  if (error == 0) return {};
  return fail(error == ENOSPC ? ENOMEM : error, "map memory: " + std::to_string(bytes) + " bytes cannot be had");
}

std::uint64_t random_seed() noexcept {
  std::uint64_t seed = 0;
  if (::getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed) seed = reinterpret_cast<std::uintptr_t>(&seed);
  return seed;
}

bool describes(const Header& header, const spec::MapSpec& spec, unsigned cpus) noexcept {
  return header.magic == kMagic && header.type == std::to_underlying(spec.type) && header.key_size == spec.key_size &&
         header.value_size == spec.value_size && header.max_entries == spec.max_entries && header.flags == spec.flags &&
         header.extra == spec.extra && header.cpus == cpus;
}

}  // namespace

// A header is the first page of its file or the last.
std::optional<Description> describe(int memfd) noexcept {
  constexpr std::size_t kSays = offsetof(Header, kind);
  alignas(Header) std::byte says[kSays];
  struct stat status{};
  if (::fstat(memfd, &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  for (const off_t at : {status.st_size - off_t{kPageSize}, off_t{0}}) {
    if (::pread(memfd, says, kSays, at) != ssize_t{kSays}) continue;
    const auto field = [&says](std::size_t offset) { return load<std::uint32_t>(says + offset); };
    if (load<std::uint64_t>(says) != kMagic) continue;
    return Description{.id = field(offsetof(Header, id)),
                       .type = field(offsetof(Header, type)),
                       .key_size = field(offsetof(Header, key_size)),
                       .value_size = field(offsetof(Header, value_size)),
                       .max_entries = field(offsetof(Header, max_entries)),
                       .flags = field(offsetof(Header, flags)),
                       .extra = load<std::uint64_t>(says + offsetof(Header, extra)),
                       .is_frozen = field(offsetof(Header, frozen)) != 0};
  }
  return std::nullopt;
}

std::size_t Planner::place(std::uint64_t count, std::uint64_t size, std::size_t align) noexcept {
  std::uint64_t block = 0;
  std::uint64_t end = 0;
  const std::uint64_t at = round_up(end_, align);
  if (__builtin_mul_overflow(count, size, &block) || __builtin_add_overflow(at, block, &end) || end > kMostBytes) {
    invalid_ = true;
    return 0;
  }
  end_ = end;
  return at;
}

Result<Region> Region::map(Fd fd, const Plan& plan) {
  Region region;
  region.mapping_ = Mapping::shared(fd.get(), plan.bytes);
  if (!region.mapping_) return fail(ENOMEM, why("cannot be mapped"));
  region.fd_ = std::move(fd);
  region.header_at_ = plan.header_at;
  return region;
}

Result<Region> Region::create(const Plan& plan, const spec::MapSpec& spec, spec::MapId id, unsigned cpus) {
  Fd fd(::memfd_create("bpf-map", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return fail(errno, why("no memory file"));
  if (::ftruncate(fd.get(), static_cast<off_t>(plan.bytes)) != 0) return fail(ENOMEM, why("cannot be sized"));
  TRY_VOID(make_resident(fd.get(), plan.resident));
  if (::fcntl(fd.get(), F_ADD_SEALS, kSeals) != 0) return fail(errno, why("cannot be sealed"));
  if (::lseek(fd.get(), static_cast<off_t>(id), SEEK_SET) < 0) return fail(errno, why("cannot hold its id"));
  TRY(Region region, map(std::move(fd), plan));
  const bool seeded = (spec.flags & spec::kZeroSeed) == 0;
  region.header() = Header{.magic = kMagic,
                           .id = std::to_underlying(id),
                           .type = std::to_underlying(spec.type),
                           .key_size = spec.key_size,
                           .value_size = spec.value_size,
                           .max_entries = spec.max_entries,
                           .flags = spec.flags,
                           .extra = spec.extra,
                           .cpus = cpus,
                           .reserved = 0,
                           .seed = seeded ? random_seed() : 0,
                           .frozen = 0,
                           .writers = 0,
                           .kind = {},
                           .habits = {}};
  return region;
}

Result<Region> Region::open(Fd memfd, const Plan& plan, const spec::MapSpec& spec, unsigned cpus) {
  const int seals = ::fcntl(memfd.get(), F_GET_SEALS);
  if (seals < 0 || (seals & kSeals) != kSeals) return fail(EINVAL, "map memory: not a sealed memory file");
  struct stat status{};
  if (::fstat(memfd.get(), &status) != 0 || status.st_size != static_cast<off_t>(plan.bytes))
    return fail(EINVAL, "map memory: the file's size is not that of such a map");
  TRY(Region region, map(std::move(memfd), plan));
  if (!describes(region.header(), spec, cpus)) return fail(EINVAL, "map memory: holds another map than expected");
  return region;
}

}  // namespace skep::maps
