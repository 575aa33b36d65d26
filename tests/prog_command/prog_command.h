// `skep prog ...`, `link`, `btf` and `pin` in this process, on a hive or on the kernel, with its own folder of pins.
#pragma once

#include <gtest/gtest.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "hive/hive.h"
#include "in_process.h"
#include "kernel/bpf.h"
#include "loader/compile.h"
#include "spec/commands.h"

namespace skep::tool {

using Words = std::vector<std::string>;
inline Words operator+(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

// Two programs with a map, global data and a subprogram.
inline constexpr const char* kSource = R"(#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
struct counter { __u64 packets; __u32 last; };
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 4);
  __type(key, __u32);
  __type(value, struct counter);
} counted SEC(".maps");
int total = 5;
__attribute__((noinline)) int twice(int x) { return x * 2 + total; }
SEC("xdp") int count_all(struct xdp_md* ctx) {
  __u32 key = 1;
  struct counter* counter = bpf_map_lookup_elem(&counted, &key);
  if (counter) __sync_fetch_and_add(&counter->packets, 1);
  bpf_get_prandom_u32();
  return twice(key) > 3 ? XDP_PASS : XDP_DROP;
}
SEC("xdp") int drop_all(struct xdp_md* ctx) { return XDP_DROP; }
char LICENSE[] SEC("license") = "GPL";
)";

class ProgCommand : public testing::TestWithParam<Where> {
 protected:
  using Exit = cli::Exit;

  void SetUp() override {
    if (GetParam() == Where::Hive) {
      hive_ = std::move(*hive::Hive::create({.engine = hive::Engine::Jit}));
      root_ = *hive_->bpffs();
    } else {
      if (!kernel::available()) GTEST_SKIP() << kernel::why_unavailable();
      constexpr long kMagic = 0xcafe4a11;
      struct statfs status{};
      if (::statfs("/sys/fs/bpf", &status) != 0 || status.f_type != kMagic)
        GTEST_SKIP() << "no BPF file system is mounted at /sys/fs/bpf";
      root_ = "/sys/fs/bpf";
    }
    pins_ = "/sys/fs/bpf/skep_test_" + std::to_string(::getpid());
    std::filesystem::create_directory(file(""));
    object_ = compile("pair.bpf.c", kSource);
  }
  void TearDown() override {
    if (!pins_.empty()) std::filesystem::remove_all(file(""));
  }

  std::string compile(const std::string& name, const std::string& text) {
    const auto object = loader::compile(folder_.write(name, text), {});
    if (!object) {
      ADD_FAILURE() << object.error().message;
      return "";
    }
    return folder_.write(name.substr(0, name.size() - 1) + "o",
                         {reinterpret_cast<const char*>(object->data()), object->size()});
  }

  // bpf(2) of the place.
  long bpf(int command, spec::Attr& attr) {
    if (before_) before_(command, attr);
    if (!hive_) return kernel::bpf(command, &attr, sizeof attr);
    hive::LocalCaller caller;
    return hive_->call(caller, command, reinterpret_cast<std::uintptr_t>(&attr), sizeof attr);
  }
  long bpf(spec::Command command, spec::Attr& attr) { return bpf(static_cast<int>(command), attr); }

  // A path for a pin, and the file it is on this machine.
  std::string pin(const std::string& name) const { return pins_ + "/" + name; }
  std::string file(const std::string& name) const {
    return root_ + pins_.substr(std::string("/sys/fs/bpf").size()) + "/" + name;
  }

  Result skep(const Words& words) {
    cli::Program program;
    program.bpf = [this](int command, spec::Attr& attr) { return bpf(command, attr); };
    program.pins = root_;
    return run_here(program, words);
  }
  // What a command that succeeds prints; its error otherwise, which no test expects.
  std::string out(const Words& words) {
    const Result result = skep(words);
    EXPECT_EQ(result.code, 0) << result.err;
    return result.code == 0 ? result.out : result.err;
  }
  nlohmann::json json(const Words& words) {
    return nlohmann::json::parse(out(words + Words{"--json"}), nullptr, false);
  }
  void fails(const Words& words, Exit code, const std::string& says) {
    const Result result = skep(words);
    std::string command;
    for (const std::string& word : words) command += " " + word;
    EXPECT_EQ(result.code, static_cast<int>(code)) << command << ": " << result.out << result.err;
    EXPECT_NE(result.err.find(says), std::string::npos) << command << ": " << result.err << "expected: " << says;
  }
  void says(const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << text << "expected: " << part;
  }
  // The program is pinned by its name.
  void load(const std::string& program) { out({"prog", "load", object_, pin(program), "--prog", program}); }

  std::unique_ptr<hive::Hive> hive_;
  std::function<void(int command, const spec::Attr& attr)> before_;  // is told of each call, to do something meanwhile
  const Folder folder_;
  std::string object_;

 private:
  std::string root_, pins_;
};

}  // namespace skep::tool
