// Arbitrary bytes as a capture file: read to its end or its first error, twice.
// links: skep_hooks_net
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "hooks/net/capture.h"

namespace {

using namespace skep;
using namespace skep::hooks::net;

// Reads everything there is; counts the packets and touches their bytes.
std::size_t read_all(CaptureReader& reader) {
  std::size_t packets = 0;
  std::uint64_t sum = 0;
  for (Packet packet; packets < 100000; ++packets) {
    const Result<bool> more = reader.next(packet);
    if (!more || !*more) break;
    for (const std::byte byte : packet.data) sum += std::to_integer<unsigned>(byte);
    if (packet.wire_bytes < packet.data.size()) std::abort();
  }
  return packets + (sum == ~std::uint64_t{0});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const int fd = ::memfd_create("capture", MFD_CLOEXEC);
  if (fd < 0 || ::write(fd, data, size) != static_cast<ssize_t>(size)) std::abort();
  Result<std::unique_ptr<CaptureReader>> reader = open_capture("/proc/self/fd/" + std::to_string(fd));
  if (reader) {
    const std::size_t packets = read_all(**reader);
    if ((*reader)->rewind() && read_all(**reader) != packets) std::abort();
  }
  ::close(fd);
  return 0;
}
