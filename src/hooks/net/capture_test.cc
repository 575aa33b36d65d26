#include "hooks/net/capture.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "hooks/net/pcap_format.h"

namespace skep::hooks::net {
namespace {

namespace fs = std::filesystem;

class CaptureTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("capture-test-" + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::string file(const std::string& name, const std::string& bytes) const {
    std::ofstream(path(name), std::ios::binary) << bytes;
    return path(name);
  }

  fs::path folder_;
};

// A number as it stands in a file of the given form.
std::string number(std::uint32_t value, bool swapped) {
  if (swapped) value = std::byteswap(value);
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

std::string header(const pcap::Form& form, std::uint32_t link) {
  const std::uint32_t version = form.swapped ? std::byteswap(std::uint32_t{0x00020004}) : 0x00040002;
  return number(form.magic, false) + number(version, false) + number(0, false) + number(0, false) +
         number(65535, form.swapped) + number(link, form.swapped);
}

std::string record(const pcap::Form& form, const std::string& data, std::uint32_t wire) {
  const auto put = [&](std::uint32_t value) { return number(value, form.swapped); };
  return put(5) + put(6) + put(static_cast<std::uint32_t>(data.size())) + put(wire) + data;
}

std::string error_of(const std::string& path) {
  Result<std::unique_ptr<CaptureReader>> reader = open_capture(path);
  return reader ? "" : reader.error().message;
}

TEST_F(CaptureTest, ReadsEachClassicForm) {
  for (const pcap::Form& form : pcap::kForms) {
    const std::string bytes = header(form, pcap::kLinkRaw) + record(form, "abc", 9) + record(form, "", 0);
    Result<std::unique_ptr<CaptureReader>> reader = open_capture(file("form", bytes));
    ASSERT_TRUE(reader) << reader.error().message;
    EXPECT_EQ((*reader)->link(), LinkType::RawIp);
    for (int pass = 0; pass < 2; ++pass) {
      Packet packet;
      ASSERT_TRUE((*reader)->next(packet).value());
      EXPECT_EQ(packet.data.size(), 3U);
      EXPECT_EQ(packet.wire_bytes, 9U);
      EXPECT_EQ(packet.time_ns, 5'000'000'000U + 6U * form.unit_ns);
      ASSERT_TRUE((*reader)->next(packet).value());
      EXPECT_TRUE(packet.data.empty());
      EXPECT_FALSE((*reader)->next(packet).value());
      ASSERT_TRUE((*reader)->rewind());
    }
  }
}

TEST_F(CaptureTest, DamageIsNamedByPacketAndOffset) {
  const pcap::Form& form = pcap::kForms[0];
  const std::string start = header(form, pcap::kLinkEthernet) + record(form, std::string(20, 'x'), 20);
  struct Case {
    std::string tail, message;
  };
  const Case cases[] = {
      {"12345", "packet 2 at byte 60: cut off in its header: 5 bytes of 16"},
      {record(form, "hello", 5).substr(0, 18), "packet 2 at byte 60: cut off: 2 bytes of 5"},
      {number(1, false) + number(1, false) + number(0x7fffffff, false) + number(1, false),
       "packet 2 at byte 60: a length of 2147483647 bytes, at most 262144 are possible"},
  };
  for (const Case& c : cases) {
    Result<std::unique_ptr<CaptureReader>> reader = open_capture(file("damaged", start + c.tail));
    ASSERT_TRUE(reader);
    Packet packet;
    ASSERT_TRUE((*reader)->next(packet).value());
    Result<bool> second = (*reader)->next(packet);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().message, path("damaged") + ": " + c.message);
  }
}

TEST_F(CaptureTest, WhatIsNoCaptureIsRefused) {
  EXPECT_EQ(error_of(path("absent")), path("absent") + ": No such file or directory");
  EXPECT_NE(error_of(file("empty", "")).find("an empty file; expected a pcap or pcapng capture"), std::string::npos);
  EXPECT_NE(error_of(file("text", "hello world, this is text")).find("not a capture that can be read"),
            std::string::npos);
  EXPECT_NE(error_of(file("short", header(pcap::kForms[0], 1).substr(0, 10))).find("10 bytes of 24"),
            std::string::npos);
  EXPECT_NE(error_of(file("wifi", header(pcap::kForms[0], 105))).find("link type 105 (IEEE802_11)"), std::string::npos);
  EXPECT_NE(error_of(folder_.string()).find("this is not a file"), std::string::npos);
}

TEST_F(CaptureTest, LargePacketsCrossReads) {
  const pcap::Form& form = pcap::kForms[1];
  std::string bytes = header(form, pcap::kLinkEthernet);
  for (std::uint32_t i = 0; i < 40; ++i)
    bytes += record(form, std::string(65535 - i, static_cast<char>('a' + i % 26)), 65535 - i);
  Result<std::unique_ptr<CaptureReader>> reader = open_capture(file("large", bytes));
  ASSERT_TRUE(reader);
  Packet packet;
  for (std::uint32_t i = 0; i < 40; ++i) {
    ASSERT_TRUE((*reader)->next(packet).value());
    ASSERT_EQ(packet.data.size(), 65535 - i);
    ASSERT_EQ(packet.data.front(), static_cast<std::byte>('a' + i % 26));
    ASSERT_EQ(packet.data.back(), packet.data.front());
  }
  EXPECT_FALSE((*reader)->next(packet).value());
  EXPECT_EQ((*reader)->position(), (*reader)->bytes());
}

TEST_F(CaptureTest, WhatIsWrittenIsReadBack) {
  Result<CaptureWriter> writer = CaptureWriter::create(path("out"), LinkType::Ethernet);
  ASSERT_TRUE(writer);
  std::vector<std::byte> data(1000);
  for (std::uint32_t i = 0; i < 3000; ++i) {
    ASSERT_TRUE(
        writer->write({.data = Bytes(data).first(i % 1000), .wire_bytes = 1500, .time_ns = 7'000'000'001ULL * i}));
  }
  ASSERT_TRUE(writer->close());
  Result<std::unique_ptr<CaptureReader>> reader = open_capture(path("out"));
  ASSERT_TRUE(reader);
  Packet packet;
  for (std::uint32_t i = 0; i < 3000; ++i) {
    ASSERT_TRUE((*reader)->next(packet).value());
    ASSERT_EQ(packet.data.size(), i % 1000);
    ASSERT_EQ(packet.time_ns, 7'000'000'001ULL * i);
    ASSERT_EQ(packet.wire_bytes, 1500U);
  }
  EXPECT_FALSE(CaptureWriter::create("/nowhere/out.pcap", LinkType::Ethernet));
}

// Each capture of the tree has the packets its README's table says.
TEST_F(CaptureTest, CapturesOfTheTree) {
  const fs::path captures = fs::path(SKEP_SOURCE_DIR) / "tests" / "captures";
  std::ifstream table(captures / "README.md");
  std::size_t checked = 0;
  for (std::string line; std::getline(table, line);) {
    if (!line.starts_with("| ") || line.find(".pcap") == std::string::npos) continue;
    std::vector<std::string> cells;
    for (std::size_t at = 1; at < line.size();) {
      const std::size_t end = line.find('|', at);
      if (end == std::string::npos) break;
      cells.push_back(line.substr(at + 1, end - at - 2));
      at = end + 1;
    }
    ASSERT_GE(cells.size(), 4U);
    Result<std::unique_ptr<CaptureReader>> reader = open_capture((captures / cells[0]).string());
    ASSERT_TRUE(reader) << reader.error().message;
    Packet packet;
    std::size_t packets = 0;
    while ((*reader)->next(packet).value()) ++packets;
    EXPECT_EQ(std::to_string(packets), cells[2]) << cells[0];
    ++checked;
  }
  EXPECT_GE(checked, 10U);
}

}  // namespace
}  // namespace skep::hooks::net
