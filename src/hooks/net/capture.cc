#include "hooks/net/capture.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <pcap/pcap.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <vector>

#include "hooks/net/pcap_format.h"

namespace skep::hooks::net {
namespace {

constexpr std::size_t kReadBytes = 1 << 20;

// pcap's own numbers for raw IP differ between systems: LINKTYPE_ in files, DLT_ from libpcap.
std::optional<LinkType> link_type(std::uint32_t number) {
  switch (number & pcap::kLinkMask) {
    case pcap::kLinkEthernet: return LinkType::Ethernet;
    case DLT_RAW:
    case pcap::kLinkRaw:
    case pcap::kLinkIpv4:
    case pcap::kLinkIpv6: return LinkType::RawIp;
    default: return std::nullopt;
  }
}

std::unexpected<Error> wrong_link(const std::string& path, std::uint32_t number) {
  const char* name = pcap_datalink_val_to_name(static_cast<int>(number & pcap::kLinkMask));
  const char* about = pcap_datalink_val_to_description(static_cast<int>(number & pcap::kLinkMask));
  return fail(ENOTSUP, fmt::format("{}: packets of link type {}{}{}{}; expected Ethernet or raw IP", path,
                                   number & pcap::kLinkMask, name ? fmt::format(" ({})", name) : "", about ? ", " : "",
                                   about ? about : ""));
}

std::uint64_t size_of(int fd) {
  struct stat status{};
  return ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode) ? static_cast<std::uint64_t>(status.st_size) : 0;
}

// ---- classic pcap

class ClassicReader final : public CaptureReader {
 public:
  ClassicReader(std::string path, Fd fd) : path_(std::move(path)), fd_(std::move(fd)), total_(size_of(fd_.get())) {}

  // Whether the file begins with a classic header of a form and link type we walk ourselves.
  Result<> begin(const pcap::Form& form) {
    form_ = form;
    const Bytes bytes = want(sizeof(pcap::FileHeader));
    if (bytes.size() < sizeof(pcap::FileHeader)) {
      return fail(EBADMSG, fmt::format("{}: a capture cut off in its file header: {} bytes of {}", path_, bytes.size(),
                                       sizeof(pcap::FileHeader)));
    }
    const auto header = load<pcap::FileHeader>(bytes.data());
    const std::optional<LinkType> link = link_type(number(header.link));
    if (!link) return wrong_link(path_, number(header.link));
    link_ = *link;
    consume(sizeof(pcap::FileHeader));
    return {};
  }

  Result<bool> next(Packet& packet) override {
    const Bytes bytes = want(sizeof(pcap::RecordHeader));
    if (bytes.empty()) {
      if (read_error_ != 0) return fail(read_error_, fmt::format("{}: {}", path_, std::strerror(read_error_)));
      return false;
    }
    const std::uint64_t number_of_it = packets_ + 1, offset = position();
    if (bytes.size() < sizeof(pcap::RecordHeader)) {
      return fail(EBADMSG, damaged(path_, number_of_it, offset,
                                   fmt::format("cut off in its header: {} bytes of {}", bytes.size(),
                                               sizeof(pcap::RecordHeader))));
    }
    const auto header = load<pcap::RecordHeader>(bytes.data());
    const std::uint32_t length = number(header.captured_bytes);
    if (length > pcap::kMaxPacket) {
      return fail(EBADMSG,
                  damaged(path_, number_of_it, offset,
                          fmt::format("a length of {} bytes, at most {} are possible", length, pcap::kMaxPacket)));
    }
    const Bytes whole = want(sizeof header + length);
    if (whole.size() < sizeof header + length) {
      return fail(EBADMSG, damaged(path_, number_of_it, offset,
                                   fmt::format("cut off: {} bytes of {}", whole.size() - sizeof header, length)));
    }
    packet.data = whole.subspan(sizeof header, length);
    packet.wire_bytes = std::max(number(header.wire_bytes), length);
    packet.time_ns =
        std::uint64_t{number(header.seconds)} * 1'000'000'000 + std::uint64_t{number(header.fraction)} * form_.unit_ns;
    consume(sizeof header + length);
    ++packets_;
    return true;
  }

  Result<> rewind() override {
    if (::lseek(fd_.get(), sizeof(pcap::FileHeader), SEEK_SET) < 0)
      return fail(errno, fmt::format("{}: cannot be read again: {}", path_, std::strerror(errno)));
    begin_ = end_ = 0;
    consumed_ = sizeof(pcap::FileHeader);
    packets_ = 0;
    return {};
  }

  std::uint64_t position() const override { return consumed_; }
  std::uint64_t bytes() const override { return total_; }

 private:
  std::uint32_t number(std::uint32_t value) const { return form_.swapped ? std::byteswap(value) : value; }

  // At least `size` bytes from here on, fewer at the end of the file. Valid until the next call.
  Bytes want(std::size_t size) {
    if (end_ - begin_ < size) refill(size);
    return Bytes(buffer_).subspan(begin_, end_ - begin_);
  }
  void consume(std::size_t size) {
    begin_ += size;
    consumed_ += size;
  }
  void refill(std::size_t size) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    while (end_ < size) {
      const ssize_t got = ::read(fd_.get(), buffer_.data() + end_, buffer_.size() - end_);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) read_error_ = errno;
      if (got <= 0) return;
      end_ += static_cast<std::size_t>(got);
    }
  }

  std::string path_;
  Fd fd_;
  std::uint64_t total_;
  pcap::Form form_{};
  std::vector<std::byte> buffer_ = std::vector<std::byte>(kReadBytes);
  std::size_t begin_ = 0, end_ = 0;
  std::uint64_t consumed_ = 0, packets_ = 0;
  int read_error_ = 0;
};
static_assert(kReadBytes > pcap::kMaxPacket + sizeof(pcap::RecordHeader));

// ---- everything else

struct ClosePcap {
  void operator()(pcap_t* handle) const { pcap_close(handle); }
};

class LibpcapReader final : public CaptureReader {
 public:
  explicit LibpcapReader(std::string path) : path_(std::move(path)) {}

  Result<> rewind() override {
    std::array<char, PCAP_ERRBUF_SIZE> error{};
    packets_ = 0;
    handle_.reset(pcap_open_offline_with_tstamp_precision(path_.c_str(), PCAP_TSTAMP_PRECISION_NANO, error.data()));
    if (!handle_) return fail(EBADMSG, fmt::format("{}: not a capture that can be read: {}", path_, error.data()));
    const auto number = static_cast<std::uint32_t>(pcap_datalink(handle_.get()));
    const std::optional<LinkType> link = link_type(number);
    if (!link) return wrong_link(path_, number);
    link_ = *link;
    total_ = size_of(::fileno(pcap_file(handle_.get())));
    return {};
  }

  Result<bool> next(Packet& packet) override {
    pcap_pkthdr* header = nullptr;
    const u_char* data = nullptr;
    const std::uint64_t offset = position();
    switch (pcap_next_ex(handle_.get(), &header, &data)) {
      case 1: break;
      case PCAP_ERROR_BREAK: return false;
      default: return fail(EBADMSG, damaged(path_, packets_ + 1, offset, pcap_geterr(handle_.get())));
    }
    ++packets_;
    if (header->caplen > pcap::kMaxPacket) {
      return fail(EBADMSG, damaged(path_, packets_, offset,
                                   fmt::format("a length of {} bytes, at most {} are possible", header->caplen,
                                               pcap::kMaxPacket)));
    }
    packet.data = std::as_bytes(std::span(data, header->caplen));
    packet.wire_bytes = std::max(header->len, header->caplen);
    packet.time_ns =
        static_cast<std::uint64_t>(header->ts.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(header->ts.tv_usec);
    return true;
  }

  std::uint64_t position() const override {
    const long at = std::ftell(pcap_file(handle_.get()));
    return at < 0 ? 0 : static_cast<std::uint64_t>(at);
  }
  std::uint64_t bytes() const override { return total_; }

 private:
  std::string path_;
  std::unique_ptr<pcap_t, ClosePcap> handle_;
  std::uint64_t total_ = 0, packets_ = 0;
};

}  // namespace

std::string damaged(const std::string& path, std::uint64_t packet, std::uint64_t offset, const std::string& what) {
  return fmt::format("{}: packet {} at byte {}: {}", path, packet, offset, what);
}

Result<std::unique_ptr<CaptureReader>> open_capture(const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail(errno, fmt::format("{}: {}", path, std::strerror(errno)));
  struct stat status{};
  if (::fstat(fd.get(), &status) == 0 && !S_ISREG(status.st_mode))
    return fail(EINVAL, fmt::format("{}: expected a capture file, this is not a file", path));
  std::array<std::byte, 4> start{};
  const ssize_t got = ::pread(fd.get(), start.data(), start.size(), 0);
  if (got < 0) return fail(errno, fmt::format("{}: {}", path, std::strerror(errno)));
  if (got == 0) return fail(ENODATA, fmt::format("{}: an empty file; expected a pcap or pcapng capture", path));
  const auto magic = load<std::uint32_t>(start.data());
  for (const pcap::Form& form : pcap::kForms) {
    if (got < 4 || magic != form.magic) continue;
    auto reader = std::make_unique<ClassicReader>(path, std::move(fd));
    TRY_VOID(reader->begin(form));
    return reader;
  }
  auto reader = std::make_unique<LibpcapReader>(path);
  TRY_VOID(reader->rewind());
  return reader;
}

Result<CaptureWriter> CaptureWriter::create(const std::string& path, LinkType link) {
  Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (!fd) return fail(errno, fmt::format("{}: {}", path, std::strerror(errno)));
  CaptureWriter writer(path, std::move(fd));
  const pcap::FileHeader header{.magic = pcap::kNanoseconds,
                                .major = 2,
                                .minor = 4,
                                .zone = 0,
                                .accuracy = 0,
                                .snap_bytes = pcap::kMaxPacket,
                                .link = link == LinkType::Ethernet ? pcap::kLinkEthernet : pcap::kLinkRaw};
  writer.pending_.assign(reinterpret_cast<const char*>(&header), sizeof header);
  return writer;
}

Result<> CaptureWriter::write(const Packet& packet) {
  const pcap::RecordHeader header{
      .seconds = static_cast<std::uint32_t>(packet.time_ns / 1'000'000'000),
      .fraction = static_cast<std::uint32_t>(packet.time_ns % 1'000'000'000),
      .captured_bytes = static_cast<std::uint32_t>(packet.data.size()),
      .wire_bytes = std::max(packet.wire_bytes, static_cast<std::uint32_t>(packet.data.size()))};
  pending_.append(reinterpret_cast<const char*>(&header), sizeof header);
  pending_.append(reinterpret_cast<const char*>(packet.data.data()), packet.data.size());
  ++packets_;
  return pending_.size() >= kReadBytes ? flush() : Result<>{};
}

Result<> CaptureWriter::flush() {
  std::string_view left = pending_;
  while (!left.empty()) {
    const ssize_t put = ::write(fd_.get(), left.data(), left.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail(errno, fmt::format("{}: {}", path_, std::strerror(errno)));
    left.remove_prefix(static_cast<std::size_t>(put));
  }
  pending_.clear();
  return {};
}

Result<> CaptureWriter::close() {
  TRY_VOID(flush());
  const int fd = fd_.release();
  return ::close(fd) == 0 ? Result<>{} : fail(errno, fmt::format("{}: {}", path_, std::strerror(errno)));
}

}  // namespace skep::hooks::net
