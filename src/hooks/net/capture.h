// Capture files, read packet by packet in bounded memory and written as classic pcap.
//
// Classic pcap (microseconds or nanoseconds, either byte order; Ethernet or raw IP) is walked in 1 MiB reads by our
// own code, which is five times faster than libpcap and can say where a file is damaged. pcapng and rarer forms go
// through libpcap. Packets of at most 256 KiB. Raw IP packets come without a link-layer header: see Ethernet.
// What was read before an error stays valid. Threads: one per reader. Source: the pcap file format
// (draft-ietf-opsawg-pcap). Tested by: hooks/net/capture_test.cc, fuzz/pcap_fuzz.cc.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/result.h"

namespace skep::hooks::net {

enum class LinkType : std::uint8_t { Ethernet, RawIp };

struct Packet {
  Bytes data;                    // valid until the next read
  std::uint32_t wire_bytes = 0;  // as it was on the wire; more than data when the capture was cut
  std::uint64_t time_ns = 0;     // since 1970
};

class CaptureReader {
 public:
  virtual ~CaptureReader() = default;
  // The next packet: true; false at the end. Errors are EBADMSG and name packet number and byte offset.
  virtual Result<bool> next(Packet& packet) = 0;
  LinkType link() const { return link_; }
  // Back to the first packet.
  virtual Result<> rewind() = 0;
  // Bytes of the file behind us, and in all (0: unknown), for progress.
  virtual std::uint64_t position() const = 0;
  virtual std::uint64_t bytes() const = 0;

 protected:
  LinkType link_ = LinkType::Ethernet;
};

// Opens by content. Errors: the file's (ENOENT ...), ENODATA (empty), EBADMSG (no capture), ENOTSUP (link type; names
// it).
Result<std::unique_ptr<CaptureReader>> open_capture(const std::string& path);

// Classic pcap with nanoseconds. Written whole or not: the errno of the last write comes from close().
class CaptureWriter {
 public:
  static Result<CaptureWriter> create(const std::string& path, LinkType link);
  Result<> write(const Packet& packet);
  Result<> close();
  std::uint64_t packets() const { return packets_; }

 private:
  CaptureWriter(std::string path, Fd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  Result<> flush();
  std::string path_;
  Fd fd_;
  std::string pending_;
  std::uint64_t packets_ = 0;
};

// The file's path, for messages, with a packet's number (from 1) and offset.
std::string damaged(const std::string& path, std::uint64_t packet, std::uint64_t offset, const std::string& what);

}  // namespace skep::hooks::net
