// Every example on every capture: all engines agree packet by packet, and on the maps.
#include <nlohmann/json.hpp>
#include <tuple>

#include "kernel/bpf.h"
#include "tool.h"

namespace skep::tool {
namespace {

struct Example {
  std::string name, arguments;
};

std::string map(const std::string& name, const std::string& file) {
  return " --map " + name + "=" + source("examples/" + file);
}

const std::vector<Example>& examples() {
  static const std::vector<Example> list = {
      {"firewall", source("examples/firewall/firewall.bpf.c") + map("blocked4", "firewall/maps/blocked4.json") +
                       map("blocked6", "firewall/maps/blocked6.json") + map(".rodata", "firewall/maps/replay.json")},
      {"balancer", source("examples/balancer/balancer.bpf.c") + map("services", "balancer/maps/services.json") +
                       map("backends", "balancer/maps/backends.json") + map("ring_web", "balancer/maps/ring_web.json") +
                       map("ring_dns", "balancer/maps/ring_dns.json")},
      {"shield", source("examples/shield/shield.bpf.c") + map("policies", "shield/maps/policies.json") +
                     map(".rodata", "shield/maps/replay.json")},
      {"toptalkers", source("examples/toptalkers/toptalkers.bpf.c") + " --prog toptalkers" +
                         map(".rodata", "toptalkers/maps/replay.json")},
      {"thin_capture", source("examples/toptalkers/thin_capture.bpf.c")},
  };
  return list;
}

std::vector<std::string> captures() {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(source("tests/captures"))) {
    if (entry.path().extension() == ".pcap" || entry.path().extension() == ".pcapng")
      files.push_back(entry.path().filename().string());
  }
  return files;
}

class Examples : public testing::TestWithParam<Example> {};

TEST_P(Examples, EveryEngineAgreesOnEveryCapture) {
  for (const std::string& capture : captures()) {
    SCOPED_TRACE(capture);
    const Result result =
        run("run " + GetParam().arguments + " --engine all --json --pcap " + source("tests/captures/" + capture));
    const auto json = nlohmann::json::parse(result.out, nullptr, false);
    ASSERT_FALSE(json.is_discarded()) << result.err;
    EXPECT_EQ(result.code, 0) << json["differences"].dump(2) << result.err;
    EXPECT_EQ(json["difference_count"].get<int>(), 0);
    EXPECT_EQ(json["engines"].size(), kernel::available() ? 4U : 3U);
    EXPECT_GT(json["packets"].get<int>(), json["not_run"].get<int>());
  }
}

INSTANTIATE_TEST_SUITE_P(Tree, Examples, testing::ValuesIn(examples()),
                         [](const auto& example) { return example.param.name; });

}  // namespace
}  // namespace skep::tool
