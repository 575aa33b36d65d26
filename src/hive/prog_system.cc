#include "hive/prog_system.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace skep::hive {
namespace {

using spec::Command;

// What a program may ask for. Source: tried on Linux 6.18.
constexpr Command kAllowed[] = {Command::MapCreate, Command::MapUpdateElem, Command::MapDeleteElem,
                                Command::MapFreeze, Command::MapGetFdById,  Command::ProgLoad,
                                Command::BtfLoad,   Command::LinkCreate,    Command::RawTracepointOpen};

struct Range {
  std::uint64_t begin = 0, bytes = 0;
  bool holds(std::uint64_t address, std::size_t size) const noexcept {
    return address >= begin && address - begin <= bytes && size <= bytes - (address - begin);
  }
};

// Logs are for who runs the program, and lie with him.
Range log_of(Command command, Bytes given) noexcept {
  spec::Attr attr{};
  std::memcpy(&attr, given.data(), std::min(given.size(), sizeof attr));
  if (command == Command::ProgLoad) return {attr.prog_load.log_buf, attr.prog_load.log_size};
  if (command == Command::BtfLoad) return {attr.btf_load.btf_log_buf, attr.btf_load.btf_log_size};
  return {};
}

// The program as a caller. The attribute itself is not written to: the program has shown that it can be read, no more.
class ProgramCaller final : public LocalCaller {
 public:
  ProgramCaller(Caller& runner, Range attr, Range log) noexcept : runner_(runner), attr_(attr), log_(log) {}
  bool copy_out(std::uint64_t address, Bytes from) noexcept override {
    if (attr_.holds(address, from.size())) return true;
    return log_.holds(address, from.size()) && runner_.copy_out(address, from);
  }
  Fd descriptor(int fd) noexcept override { return runner_.descriptor(fd); }
  std::int64_t position(int fd) noexcept override { return runner_.position(fd); }
  int install(Fd object) noexcept override { return runner_.install(std::move(object)); }
  void take_back(int fd) noexcept override { runner_.take_back(fd); }
  int close(int fd) noexcept override { return runner_.close(fd); }
  Result<Fd> open_path(int from, const std::string& path, int flags) noexcept override {
    return runner_.open_path(from, path, flags);
  }
  Privilege privilege() const noexcept override { return runner_.privilege(); }
  bool maps_writable(std::uint64_t inode, std::uint64_t bytes) noexcept override {
    return runner_.maps_writable(inode, bytes);
  }
  std::uint64_t mapped_at(std::uint64_t inode, std::uint64_t bytes) noexcept override {
    return runner_.mapped_at(inode, bytes);
  }

 private:
  Caller& runner_;
  const Range attr_, log_;
};

}  // namespace

long ProgSystem::bpf(std::uint32_t command, Bytes attr) noexcept {
  const auto* allowed = std::ranges::find(kAllowed, Command{command});
  if (allowed == std::end(kAllowed)) return -EINVAL;
  const Range given{reinterpret_cast<std::uint64_t>(attr.data()), attr.size()};
  ProgramCaller program(request_.caller, given, log_of(*allowed, attr));
  return call(request_.hive, program, static_cast<int>(command), given.begin, static_cast<std::uint32_t>(attr.size()));
}

long ProgSystem::find_type(std::string_view name, std::uint32_t kind) noexcept {
  const btf::Btf* types = request_.hive.kernel_btf();
  const auto found = types != nullptr ? types->find(name, static_cast<btf::Kind>(kind)) : std::nullopt;
  return found ? long{*found} : -ENOENT;
}

}  // namespace skep::hive
