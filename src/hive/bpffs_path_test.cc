#include "hive/bpffs_path.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace skep::hive {
namespace {

// What is behind /sys/fs/bpf/; nothing for a path that is not beneath.
std::optional<std::string> beneath(const std::string& path) {
  const BpffsPath read(path.c_str());
  return read.is_beneath() ? std::optional<std::string>(read.rest()) : std::nullopt;
}

TEST(BpffsPath, Beneath) {
  EXPECT_EQ(beneath("/sys/fs/bpf"), "");
  EXPECT_EQ(beneath("/sys/fs/bpf/"), "");
  EXPECT_EQ(beneath("/sys/fs/bpf/a"), "a");
  EXPECT_EQ(beneath("/sys/fs/bpf/a/b/"), "a/b/");
  EXPECT_EQ(beneath("//sys/./fs//bpf/a//b"), "a/b");
  EXPECT_EQ(beneath("/sys/fs/bpf/a/../b"), "b");
  EXPECT_EQ(beneath("/sys/fs/cgroup/../bpf/b/."), "b");
  EXPECT_EQ(beneath("/../sys/fs/bpf/x"), "x");
}

TEST(BpffsPath, Elsewhere) {
  EXPECT_EQ(beneath("/sys/fs/bpfx"), std::nullopt);
  EXPECT_EQ(beneath("/sys/fs/bpf/../cgroup"), std::nullopt);
  EXPECT_EQ(beneath("/sys/fs/bpf/.."), std::nullopt);
  EXPECT_EQ(beneath("sys/fs/bpf/a"), std::nullopt);
  EXPECT_EQ(beneath("/tmp/sys/fs/bpf/a"), std::nullopt);
  EXPECT_EQ(beneath(""), std::nullopt);
  EXPECT_FALSE(BpffsPath(nullptr).is_beneath());
  EXPECT_EQ(beneath("/sys/fs/bpf/" + std::string(kMostPath, 'x')), std::nullopt);
}

TEST(BpffsPath, Dots) {
  EXPECT_TRUE(BpffsPath("/sys/fs/bpf/a.b").has_dot());
  EXPECT_TRUE(BpffsPath("/sys/fs/bpf/a/b/...").has_dot());
  EXPECT_FALSE(BpffsPath("/sys/fs/bpf/a/./b").has_dot());
  EXPECT_TRUE(BpffsPath("/sys/fs/bpf").is_root());
  EXPECT_FALSE(BpffsPath("/sys/fs/bpf/a").is_root());
}

}  // namespace
}  // namespace skep::hive
