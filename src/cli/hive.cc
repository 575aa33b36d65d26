// skep hive: hives with names, which several programs share: start, stop, list, status.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/hive_options.h"
#include "cli/style.h"
#include "cli/table.h"
#include "host/start.h"
#include "wire/client.h"
#include "wire/place.h"

namespace skep::cli {
namespace {

using nlohmann::json;

struct Request {
  std::string name;
  bool json = false;
  bool foreground = false;
  HiveOptions options;
};

Exit failed(const Error& error) {
  return report({error.code == EINVAL ? Exit::Usage : Exit::Unavailable, error.message});
}

// The hive of a name, and what it says of itself.
struct Found {
  std::unique_ptr<wire::Client> client;
  wire::Status status;
};
Result<Found> find(const std::string& name) {
  TRY(std::unique_ptr<wire::Client> client, wire::Client::join(name));
  TRY(const wire::Status status, client->status());
  return Found{std::move(client), status};
}
Exit not_found(const std::string& name, const Error& error) {
  if (error.code != ENOTCONN) return failed(error);
  return report(
      {Exit::Unavailable,
       fmt::format("no hive \"{0}\" is running; start it with: skep hive start {0}, or see: skep hive list", name)});
}

json to_json(const std::string& name, const wire::Status& status) {
  return {{"name", name},
          {"pid", status.pid},
          {"clients", status.clients},
          {"maps", status.maps},
          {"programs", status.programs},
          {"btfs", status.btfs},
          {"links", status.links},
          {"memory_bytes", status.memory_bytes},
          {"calls", status.calls},
          {"seconds", status.seconds}};
}

std::string mebibytes(std::uint64_t bytes) { return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20)); }

Exit start(const Request& request) {
  const hive::Options options = request.options.options();
  if (request.foreground) {
    const Result<> served = host::serve(request.name, options);
    return served ? Exit::Ok : failed(served.error());
  }
  const Result<std::string> path = host::start({.name = request.name, .options = options});
  if (!path) return failed(path.error());
  const Result<Found> hive = find(request.name);
  if (!hive) return failed(hive.error());
  if (request.json) {
    fmt::print("{}\n", json{{"name", request.name}, {"pid", hive->status.pid}, {"socket", *path}}.dump());
  } else {
    fmt::print("hive {} is running (process {}); use it with: skep exec --hive {} -- PROGRAM\n", request.name,
               hive->status.pid, request.name);
  }
  return Exit::Ok;
}

Exit stop(const Request& request) {
  Result<Found> hive = find(request.name);
  if (!hive) return not_found(request.name, hive.error());
  if (const Result<> stopped = hive->client->stop(); !stopped) return failed(stopped.error());
  if (request.json) fmt::print("{}\n", json{{"name", request.name}, {"pid", hive->status.pid}}.dump());
  return Exit::Ok;
}

Exit status(const Request& request) {
  const Result<Found> hive = find(request.name);
  if (!hive) return not_found(request.name, hive.error());
  const wire::Status& now = hive->status;
  if (request.json) {
    fmt::print("{}\n", to_json(request.name, now).dump());
    return Exit::Ok;
  }
  const Style style(stdout);
  const auto line = [&style](std::string_view what, const std::string& value) {
    fmt::print("{} {}\n", style.faint(fmt::format("{:<9}", what)), value);
  };
  line("hive", request.name);
  line("process", std::to_string(now.pid));
  line("running", fmt::format("{} s", grouped(now.seconds)));
  line("clients", std::to_string(now.clients - 1));  // this one is no client in that sense
  line("objects", fmt::format("{} maps, {} programs, {} BTFs, {} links", now.maps, now.programs, now.btfs, now.links));
  line("memory", mebibytes(now.memory_bytes));
  line("calls", grouped(now.calls));
  return Exit::Ok;
}

Exit list(const Request& request) {
  const Result<std::vector<std::string>> names = wire::names();
  if (!names) return failed(names.error());
  json all = json::array();
  Table table({"NAME", "PROCESS", "CLIENTS", "MAPS", "PROGRAMS", "MEMORY"});
  for (const std::string& name : *names) {
    const Result<Found> hive = find(name);
    if (!hive) {  // its host was killed, or begins or ends: then it has the seat
      if (Result<wire::Seat> left = wire::Seat::take(name)) left->leave();
      continue;
    }
    const wire::Status& now = hive->status;
    all.push_back(to_json(name, now));
    table.add({name, std::to_string(now.pid), std::to_string(now.clients - 1), std::to_string(now.maps),
               std::to_string(now.programs), mebibytes(now.memory_bytes)});
  }
  if (request.json) {
    fmt::print("{}\n", all.dump());
  } else if (all.empty()) {
    fmt::print("no hive is running; start one with: skep hive start NAME\n");
  } else {
    fmt::print("{}", table.text());
  }
  return Exit::Ok;
}

std::string check_name(const std::string& name) {
  const Result<> checked = wire::check_name(name);
  return checked ? "" : checked.error().message;
}

}  // namespace

void declare_hive(Program& program) {
  CLI::App* command = program.app.add_subcommand("hive", "Hives with names, which several programs share");
  command->require_subcommand(1);
  command->footer(
      "A hive is one eBPF instance: its programs, maps and BTFs, in a process of its own. One with a name lives until "
      "it is\nstopped; its socket is in $XDG_RUNTIME_DIR/skep or /tmp/skep-hives-UID, where only this user may. Those "
      "called "
      "exec-PID\nbelong to a skep exec and end with it.");
  auto request = std::make_shared<Request>();
  const auto declare = [&](const char* name, const char* about, Exit (*action)(const Request&)) {
    CLI::App* verb = command->add_subcommand(name, about);
    verb->add_flag("--json", request->json, "as JSON");
    verb->callback([&program, request, action] { program.chosen = [request, action] { return action(*request); }; });
    return verb;
  };
  const auto named = [&](CLI::App* verb) {
    verb->add_option("NAME", request->name, "the hive's: letters, digits, '-', '_' and '.'")
        ->required()
        ->check(check_name);
  };
  CLI::App* start_verb = declare("start", "Start one in the background", start);
  named(start_verb);
  start_verb->add_flag("--foreground", request->foreground, "stay in this process until stopped, or by Ctrl-C");
  add_hive_options(*start_verb, request->options);
  named(declare("stop", "End one; programs keep the maps that they have open", stop));
  declare("list", "Those that are running", list);
  named(declare("status", "Its objects, clients and memory", status));
}

}  // namespace skep::cli
