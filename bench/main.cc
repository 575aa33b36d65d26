// skep-bench [--check] [--json FILE] [NAME...]: how fast programs are as native code, compiled and interpreted by skep,
// and in the running kernel. A NAME is KIND, KIND/PROGRAM or a part of either.
//
// Time is the thread's processor time, in the kernel that of PROG_TEST_RUN's clock. A batch is some milliseconds of one
// form; in each of 21 rounds every form has one, one after the other, so that a slow second of the machine meets all of
// them, and ratios are taken within a round. After each seventh round every form is loaded anew: where code comes to
// lie decides what a processor's branch predictor mixes up, which alone can make a third. --check runs each program
// three times in each form and compares results and packets.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string_view>

#include "base/cpus.h"
#include "engines.h"
#include "report.h"

namespace skep::bench {
namespace {

constexpr int kChecks = 3;  // runs that are compared
constexpr Form kChecked[] = {Form::Native, Form::Vector, Form::Jit, Form::Interp, Form::Checked, Form::Kernel};
constexpr Form kMeasured[] = {Form::Native, Form::Vector, Form::Jit, Form::Interp, Form::Kernel};

std::vector<std::byte> packet_of(const Program& program) {
  std::vector<std::byte> packet(kPacket);
  program.prepare(reinterpret_cast<std::uint8_t*>(packet.data()));
  return packet;
}

// Null when this machine does not have the form.
Result<std::unique_ptr<Runner>> start(const Program& program, Form form) {
  Result<std::unique_ptr<Runner>> runner = load(program, form);
  if (!runner && runner.error().code == ENOTSUP) return nullptr;
  if (!runner) return fail(runner.error().code, fmt::format("{}: {}", name(form), runner.error().message));
  return runner;
}

// ---- Checking

struct Outcome {
  std::uint32_t result = 0;
  std::vector<std::byte> packet;
  bool operator==(const Outcome&) const = default;
};

Result<std::vector<Outcome>> outcomes(const Program& program, Runner& runner) {
  std::vector<Outcome> found;
  std::vector<std::byte> packet = packet_of(program);
  for (int i = 0; i < kChecks; ++i) {
    TRY(const std::uint32_t result, runner.run(packet, 1));
    found.push_back({result, packet});
    runner.drain();
  }
  return found;
}

// Every form gives what native code gives.
Result<> agree(const Program& program) {
  std::vector<Outcome> expected;
  for (const Form form : kChecked) {
    TRY(const std::unique_ptr<Runner> runner, start(program, form));
    if (!runner) continue;
    TRY(std::vector<Outcome> found, outcomes(program, *runner));
    if (form == Form::Native) expected = found;
    if (found == expected) continue;
    const auto differs = static_cast<std::size_t>(std::ranges::mismatch(found, expected).in1 - found.begin());
    return fail(EIO, fmt::format("run {} of form {} gives {:#x}, native code {:#x}{}", differs, name(form),
                                 found[differs].result, expected[differs].result,
                                 found[differs].result == expected[differs].result ? ", and another packet" : ""));
  }
  return {};
}

// ---- Measuring

constexpr std::size_t kLoads = 3;
static_assert(kBatches % kLoads == 0);

// Fills a part of the batches of `row` with what freshly loaded forms take.
Result<> measure(Row& row, std::size_t first, std::size_t end) {
  std::array<std::optional<Measured>, kForms> forms;
  std::array<std::vector<std::byte>, kForms> packets;
  for (const Form form : kMeasured) {
    const auto index = static_cast<std::size_t>(form);
    TRY(std::unique_ptr<Runner> runner, start(row.program, form));
    if (!runner) continue;
    packets[index] = packet_of(row.program);
    TRY(forms[index], Measured::start(std::move(runner), packets[index]));
    if (!row.times[index]) row.times[index].emplace();
  }
  for (std::size_t batch = first; batch < end; ++batch) {
    for (const Form form : kMeasured) {
      const auto index = static_cast<std::size_t>(form);
      if (!forms[index]) continue;
      TRY((*row.times[index])[batch], forms[index]->batch());
    }
  }
  return {};
}

Result<Row> measure(const Program& program) {
  Row row{.program = program, .compile = {}, .times = {}};
  TRY(row.compile, compile_cost(program));
  constexpr std::size_t kPart = kBatches / kLoads;
  for (std::size_t load = 0; load < kLoads; ++load) TRY_VOID(measure(row, load * kPart, (load + 1) * kPart));
  return row;
}

// ---- The command

struct Arguments {
  bool check = false;
  std::string json;
  std::vector<std::string_view> names;

  bool asks_for(const Program& program) const {
    const std::string name = fmt::format("{}/{}", program.kind, program.name);
    return names.empty() ||
           std::ranges::any_of(names, [&](std::string_view part) { return name.find(part) != std::string::npos; });
  }
};

int run(const Arguments& arguments) {
  stay_on_this_cpu();
  std::vector<Row> rows;
  std::size_t checked = 0;
  if (!arguments.check) print_heading();
  for (const Program& program : programs()) {
    if (!arguments.asks_for(program)) continue;
    Result<> done = agree(program);
    ++checked;
    if (done && !arguments.check) {
      if (Result<Row> row = measure(program)) {
        print_row(*row);
        rows.push_back(*std::move(row));
      } else {
        done = std::unexpected(row.error());
      }
    }
    if (done) continue;
    fmt::print(stderr, "skep-bench: {}/{}: {}\n", program.kind, program.name, done.error().message);
    return 1;
  }
  if (checked == 0) {
    fmt::print(stderr, "skep-bench: no program has this name\n");
    return 2;
  }
  if (arguments.check) {
    fmt::print("{} programs: all forms agree\n", checked);
    return 0;
  }
  print_summary(rows);
  if (arguments.json.empty()) return 0;
  const Result<> written = write_json(rows, arguments.json);
  if (!written) fmt::print(stderr, "skep-bench: {}\n", written.error().message);
  return written ? 0 : 1;
}

}  // namespace
}  // namespace skep::bench

int main(int argc, char** argv) {
  skep::bench::Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--check") {
      arguments.check = true;
    } else if (argument == "--json" && i + 1 < argc) {
      arguments.json = argv[++i];
    } else {
      arguments.names.push_back(argument);
    }
  }
  return skep::bench::run(arguments);
}
