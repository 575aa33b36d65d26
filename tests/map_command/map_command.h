// `skep map ...` in this process, on a hive or on the kernel.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/fd.h"
#include "hive/hive.h"
#include "in_process.h"
#include "kernel/bpf.h"
#include "spec/commands.h"

namespace skep::tool {

// A back end that keeps pins itself, so that tests leave nothing behind.
class MapCommand : public testing::TestWithParam<Where> {
 protected:
  using Exit = cli::Exit;

  void SetUp() override {
    if (GetParam() == Where::Kernel && !kernel::available()) GTEST_SKIP() << kernel::why_unavailable();
    if (GetParam() == Where::Hive) hive_ = std::move(*hive::Hive::create({.engine = hive::Engine::Interp}));
  }

  // bpf(2) of the place.
  long bpf(int command, spec::Attr& attr) {
    if (before_) before_(command, attr);
    if (command == static_cast<int>(spec::Command::ObjPin)) return pin(attr);
    if (command == static_cast<int>(spec::Command::ObjGet)) return get(attr);
    if (!hive_) return kernel::bpf(command, &attr, sizeof attr);
    hive::LocalCaller caller;
    return hive_->call(caller, command, reinterpret_cast<std::uintptr_t>(&attr), sizeof attr);
  }

  // `skep map WORDS`, each word as it is.
  Result map(std::vector<std::string> words) {
    words.insert(words.begin(), "map");
    cli::Program program;
    program.bpf = [this](int command, spec::Attr& attr) { return bpf(command, attr); };
    return run_here(program, words);
  }
  // What a command that succeeds prints; its error otherwise, which no test expects.
  std::string out(std::vector<std::string> words) {
    const Result result = map(std::move(words));
    EXPECT_EQ(result.code, 0) << result.err;
    return result.code == 0 ? result.out : result.err;
  }
  nlohmann::json json(std::vector<std::string> words) {
    words.emplace_back("--json");
    return nlohmann::json::parse(out(std::move(words)), nullptr, false);
  }
  void fails(std::vector<std::string> words, Exit code, const std::string& says) {
    const Result result = map(words);
    std::string command;
    for (const std::string& word : words) command += " " + word;
    EXPECT_EQ(result.code, static_cast<int>(code)) << command << ": " << result.err;
    EXPECT_NE(result.err.find(says), std::string::npos) << command << ": " << result.err << "expected: " << says;
  }
  // A map that lives until the test ends.
  void create(const std::string& name, std::vector<std::string> options) {
    std::vector<std::string> words = {"create", name, "--pin", "/pins/" + name};
    words.insert(words.end(), options.begin(), options.end());
    out(words);
  }

  std::unique_ptr<hive::Hive> hive_;
  std::function<void(int command, const spec::Attr& attr)> before_;  // is told of each call, to do something meanwhile
  const Folder folder_;

 private:
  long pin(const spec::Attr& attr) {
    const std::string path = reinterpret_cast<const char*>(attr.obj.pathname);
    if (pins_.contains(path)) return -EEXIST;
    pins_.emplace(path, Fd(::dup(static_cast<int>(attr.obj.bpf_fd))));
    return 0;
  }
  long get(const spec::Attr& attr) {
    const auto found = pins_.find(reinterpret_cast<const char*>(attr.obj.pathname));
    return found == pins_.end() ? -ENOENT : ::dup(found->second.get());
  }
  std::map<std::string, Fd> pins_;
};

}  // namespace skep::tool
