// For the tests of src/hive, run a second time: a hive behind its host, which is in this process so that tests can look
// into the hive as well. Every call goes over a connection. Included by hive/testing.h in its own namespace's place.
#pragma once

#include <memory>
#include <thread>

#include "host/testing.h"

namespace skep::hive::testing {

class HiveBpf final : public Bpf {
 public:
  explicit HiveBpf(const Options& options = {})
      : host_(std::move(*host::Host::create(options))), hive(&host_->hive()), client_(seat_.path()) {
    thread_ = std::thread([this] { host_->run(seat_.listener()); });
  }
  ~HiveBpf() override {
    host_->stop();
    thread_.join();
  }
  long call(int cmd, const void* attr, std::uint32_t size) override {
    return client_.call(caller, cmd, reinterpret_cast<std::uint64_t>(attr), size);
  }
  std::string bpffs() override { return *hive->bpffs(); }

 private:
  host::testing::TestSeat seat_;
  std::unique_ptr<host::Host> host_;

 public:
  Hive* hive;
  LocalCaller caller;

 private:
  wire::Client client_;
  std::thread thread_;
};

}  // namespace skep::hive::testing
