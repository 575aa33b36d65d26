// A BPF object for the tests of this folder, compiled once.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string_view>

#include "loader/compile.h"

namespace skep::loader {

inline constexpr std::string_view kTestSource = R"(
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
const volatile unsigned long long limit = 7;
unsigned int seen = 0;
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 8); __type(key, __u32); __type(value, __u64); } flows SEC(".maps");
static __attribute__((noinline)) int classify(__u32 key) {
  __u64 *value = bpf_map_lookup_elem(&flows, &key);
  return value && *value > limit ? XDP_DROP : XDP_PASS;
}
SEC("xdp") int first(struct xdp_md *ctx) { seen++; return classify(ctx->rx_queue_index); }
SEC("socket") int second(struct __sk_buff *skb) { return skb->len; }
SEC("nonsense/of/mine") int third(void *ctx) { return 0; }
char LICENSE[] SEC("license") = "GPL";
)";

// A file that is gone after the test.
class TemporaryFile {
 public:
  TemporaryFile(const std::string& name, std::string_view text)
      : path_(std::filesystem::temp_directory_path() / (std::to_string(::getpid()) + "-" + name)) {
    std::ofstream(path_, std::ios::binary) << text;
  }
  ~TemporaryFile() {
    std::error_code error;
    std::filesystem::remove(path_, error);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

inline const std::vector<std::byte>& test_object() {
  static const std::vector<std::byte> object = [] {
    const TemporaryFile source("object.bpf.c", kTestSource);
    Result<std::vector<std::byte>> compiled = compile(source.path(), {});
    EXPECT_TRUE(compiled) << compiled.error().message;
    return compiled ? *compiled : std::vector<std::byte>();
  }();
  return object;
}

}  // namespace skep::loader
