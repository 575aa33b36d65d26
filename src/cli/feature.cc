// skep feature: what there is to build on, from the tables that the rest of skep reads.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/style.h"
#include "hive/features.h"
#include "hooks/net/verdict.h"
#include "spec/context.h"
#include "spec/helper_access.h"
#include "spec/types.h"

namespace skep::cli {
namespace {

using nlohmann::json;

constexpr spec::ProgType kProgTypes[] = {
#define PROG_TYPE_ROW(id, Name, text) spec::ProgType::Name,
#include "spec/prog_types.def"
#undef PROG_TYPE_ROW
};
constexpr spec::MapType kMapTypes[] = {
#define MAP_TYPE_ROW(id, Name, text) spec::MapType::Name,
#include "spec/map_types.def"
#undef MAP_TYPE_ROW
};

std::string prototype(const spec::Helper& helper) {
  std::string text;
  for (std::size_t i = 0; i < helper.arg_count(); ++i)
    text += fmt::format("{}{}", i == 0 ? "" : ", ", spec::info(helper.args[i]).name);
  return fmt::format("{}({})", spec::info(helper.result).name, text);
}

json collect() {
  json out = {{"program_types", json::array()}, {"map_types", json::array()}, {"helpers", json::array()}};
  for (const spec::ProgType type : kProgTypes) {
    json allowed = json::array();
    for (const spec::Helper* helper : spec::kHelperRows) {
      if (spec::helper_allowed(type, spec::AttachType{}, helper->id))
        allowed.push_back(fmt::format("bpf_{}", helper->name));
    }
    out["program_types"].push_back({{"name", spec::name(type)},
                                    {"id", static_cast<int>(type)},
                                    {"packets", hooks::net::hook_of(type).has_value()},
                                    {"context", spec::context_of(type) != spec::ContextKind::None},
                                    {"helpers", allowed}});
  }
  for (const spec::MapType type : kMapTypes)
    out["map_types"].push_back(
        {{"name", spec::name(type)}, {"id", static_cast<int>(type)}, {"available", hive::holds(type)}});
  for (const spec::Helper* helper : spec::kHelperRows) {
    out["helpers"].push_back({{"name", fmt::format("bpf_{}", helper->name)},
                              {"id", static_cast<int>(helper->id)},
                              {"prototype", prototype(*helper)},
                              {"runs", hive::runs(helper->id)},
                              {"gpl", helper->is(spec::HelperTrait::Gpl)}});
  }
  return out;
}

void print(const json& all) {
  const Style style(stdout);
  fmt::print("{}\n", style.title("program types (packets: skep run feeds them)"));
  for (const json& type : all["program_types"]) {
    fmt::print("  {:<26}{}{}\n", type["name"].get<std::string>(), type["packets"].get<bool>() ? "packets  " : "",
               style.faint(fmt::format("{} helpers", type["helpers"].size())));
  }
  fmt::print("\n{}\n", style.title("map types"));
  for (const json& type : all["map_types"])
    fmt::print("  {:<26}{}\n", type["name"].get<std::string>(), type["available"].get<bool>() ? "available" : "-");
  fmt::print("\n{}\n", style.title("helpers"));
  for (const json& helper : all["helpers"]) {
    fmt::print("  {:>3} {:<34}{}{}  {}\n", helper["id"].get<int>(), helper["name"].get<std::string>(),
               helper["runs"].get<bool>() ? "runs" : "-   ", helper["gpl"].get<bool>() ? " gpl" : "    ",
               style.faint(helper["prototype"].get<std::string>()));
  }
  fmt::print("\n{}\n", style.title("helpers by program type"));
  for (const json& type : all["program_types"]) {
    std::string names;
    for (const json& name : type["helpers"]) names += fmt::format(" {}", name.get<std::string>().substr(4));
    fmt::print("  {}:{}\n", style.title(type["name"].get<std::string>()), names);
  }
}

}  // namespace

void declare_feature(Program& program) {
  CLI::App* command = program.app.add_subcommand("feature", "List program types, map types and helpers");
  auto json_wanted = std::make_shared<bool>(false);
  command->add_flag("--json", *json_wanted, "as JSON");
  command->callback([&program, json_wanted] {
    program.chosen = [json_wanted] {
      const json all = collect();
      if (*json_wanted)
        fmt::print("{}\n", all.dump(2));
      else
        print(all);
      return Exit::Ok;
    };
  });
}

}  // namespace skep::cli
