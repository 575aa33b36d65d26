// skep prog run: a loaded program on one context, by BPF_PROG_TEST_RUN.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/errno.h"
#include "cli/background.h"
#include "cli/prog.h"
#include "hooks/net/verdict.h"
#include "spec/types.h"

namespace skep::cli {
namespace {

constexpr std::uint32_t kRoom = 32U << 10;  // for what comes back, unless somebody says

struct RunRequest : ObjectRequest {
  std::string data_in, data_out, ctx_in, ctx_out;
  std::optional<std::uint32_t> data_size_out, ctx_size_out;
  std::uint32_t repeat = 1;
};

Expected<std::vector<std::byte>> read_bytes(const std::string& path) {
  if (path.empty()) return std::vector<std::byte>();
  std::ifstream file;
  if (path != "-") file.open(path, std::ios::binary);
  std::istream& from = path == "-" ? std::cin : file;
  const std::string text{std::istreambuf_iterator<char>(from), {}};
  if (path != "-" && !file.is_open()) return give_up(Exit::Input, fmt::format("{}: {}", path, std::strerror(errno)));
  const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
  return std::vector<std::byte>(bytes, bytes + text.size());
}

// Bytes as a table, 16 in a line, with their characters.
std::string hex_table(Bytes bytes) {
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += 16) {
    std::string hex, text;
    for (const std::byte byte : bytes.subspan(at, std::min<std::size_t>(16, bytes.size() - at))) {
      const auto value = std::to_integer<unsigned char>(byte);
      hex += fmt::format("{:02x} ", value);
      text += value >= ' ' && value < 0x7f ? static_cast<char>(value) : '.';
    }
    out += fmt::format("{:07x} {:<48} {}\n", at, hex, text);
  }
  return out;
}

// What comes back: room for it, where it is to go.
struct Output {
  std::vector<std::byte> bytes;
  std::string file;  // "-": to be shown; empty: nobody asks
  bool asked() const { return !file.empty() || !bytes.empty(); }
};
Output output_of(const std::string& file, std::optional<std::uint32_t> size, std::size_t input) {
  const bool asked = !file.empty() || size;
  return {std::vector<std::byte>(
              asked ? size.value_or(std::max<std::uint32_t>(kRoom, static_cast<std::uint32_t>(input))) : 0),
          file.empty() && size ? "-" : file};
}

Expected<> give(const Output& output, std::string_view what, nlohmann::ordered_json* json) {
  if (!output.asked()) return {};
  if (output.file != "-") {
    std::ofstream file(output.file, std::ios::binary);
    file.write(reinterpret_cast<const char*>(output.bytes.data()), static_cast<std::streamsize>(output.bytes.size()));
    file.close();
    return file ? Expected<>{} : give_up(Exit::Input, fmt::format("{}: cannot be written", output.file));
  }
  if (json == nullptr)
    return fmt::print("{}, {} bytes:\n{}", what, output.bytes.size(), hex_table(output.bytes)), Expected<>{};
  std::string text;
  for (const std::byte byte : output.bytes)
    text += fmt::format("{}{:02x}", text.empty() ? "" : " ", std::to_integer<unsigned>(byte));
  (*json)[what] = text;
  return {};
}

std::string why(const LiveProgram& program, const RunRequest& request, const spec::AttrTest& test, int code) {
  const auto type = static_cast<spec::ProgType>(program.info.type);
  const bool takes_packets = hooks::net::hook_of(type).has_value();
  if (code == ENOSPC)
    return fmt::format("what comes back is larger than the room for it: {} bytes; say --data-size-out {}",
                       test.data_size_out, test.data_size_out);
  if (code == kNotSupported || code == EOPNOTSUPP)
    return fmt::format("programs of type {} cannot be run by themselves", program.type_name());
  if (code == EINVAL && takes_packets && test.data_size_in < 14)
    return fmt::format("a program of type {} wants a packet of 14 bytes or more: --data-in FILE", program.type_name());
  if (code == EINVAL && !takes_packets && !request.data_in.empty())
    return fmt::format("programs of type {} take no packet; --ctx-in FILE is what they are called with",
                       program.type_name());
  if (code == EINVAL && !request.ctx_in.empty()) return "the context has a size or values that may not be chosen";
  if (code == EPERM) return "this user may not (CAP_BPF, CAP_NET_ADMIN)";
  return fmt::format("bpf(2) answers: {}", std::strerror(code));
}

// " (XDP_PASS)" of a program that judges packets.
std::string verdict_text(const LiveProgram& program, std::uint32_t returned, std::size_t bytes) {
  const auto hook = hooks::net::hook_of(static_cast<spec::ProgType>(program.info.type));
  return hook ? std::string(hooks::net::verdict_of(*hook, returned, bytes).name) : "";
}

Expected<> run(RunRequest& request) {
  if (request.data_in == "-" && request.ctx_in == "-")
    return give_up(Exit::Usage, "--data-in and --ctx-in cannot both be the standard input");
  const auto bpf = request.bpf();
  if (!bpf) return std::unexpected(bpf.error());
  const auto program = open_program(request, *bpf);
  if (!program) return std::unexpected(program.error());
  const auto data = read_bytes(request.data_in), context = read_bytes(request.ctx_in);
  if (!data) return std::unexpected(data.error());
  if (!context) return std::unexpected(context.error());
  Output data_out = output_of(request.data_out, request.data_size_out, data->size() + 256);
  Output context_out = output_of(request.ctx_out, request.ctx_size_out, context->size());
  spec::Attr attr{};
  attr.test.prog_fd = static_cast<std::uint32_t>(program->fd.get());
  attr.test.repeat = request.repeat;
  const auto give_bytes = [](const std::vector<std::byte>& bytes, std::uint64_t& at, std::uint32_t& size) {
    at = bytes.empty() ? 0 : address(bytes.data());
    size = static_cast<std::uint32_t>(bytes.size());
  };
  give_bytes(*data, attr.test.data_in, attr.test.data_size_in);
  give_bytes(*context, attr.test.ctx_in, attr.test.ctx_size_in);
  give_bytes(data_out.bytes, attr.test.data_out, attr.test.data_size_out);
  give_bytes(context_out.bytes, attr.test.ctx_out, attr.test.ctx_size_out);
  const long error = with_progress(fmt::format("running {}", program->called()),
                                   [&] { return call(*bpf, spec::Command::ProgTestRun, attr); });
  if (error < 0) {
    return give_up(Exit::Refused, fmt::format("program {} ({}): {}", program->called(), program->type_name(),
                                              why(*program, request, attr.test, static_cast<int>(-error))));
  }
  data_out.bytes.resize(std::min<std::size_t>(data_out.bytes.size(), attr.test.data_size_out));
  context_out.bytes.resize(std::min<std::size_t>(context_out.bytes.size(), attr.test.ctx_size_out));
  const std::string verdict = verdict_text(*program, attr.test.retval, data->size());
  nlohmann::ordered_json json = {{"retval", attr.test.retval}, {"duration", attr.test.duration}};
  if (!verdict.empty()) json["verdict"] = verdict;
  if (!request.json)
    fmt::print("Return value: {}{}, duration{}: {}ns\n", attr.test.retval, verdict.empty() ? "" : " (" + verdict + ")",
               request.repeat > 1 ? " (average)" : "", attr.test.duration);
  nlohmann::ordered_json* const to = request.json ? &json : nullptr;
  if (Expected<> done = give(data_out, "data_out", to); !done) return done;
  if (Expected<> done = give(context_out, "ctx_out", to); !done) return done;
  if (request.json) print_json(json);
  return {};
}

}  // namespace

void declare_prog_run(CommandGroup& group) {
  auto [command, request] =
      declare_object_command<RunRequest>(group, "run", "Run a program once, or many times", {"PROG"}, run);
  command.add_option("--data-in", request.data_in, "the packet; - is standard input")->type_name("FILE");
  command.add_option("--data-out", request.data_out, "write the packet there as it is behind; - shows it")
      ->type_name("FILE");
  command.add_option("--data-size-out", request.data_size_out, "room for it, in bytes")->type_name("N");
  command.add_option("--ctx-in", request.ctx_in, "what the program is called with; - is standard input")
      ->type_name("FILE");
  command.add_option("--ctx-out", request.ctx_out, "write that there as it is behind; - shows it")->type_name("FILE");
  command.add_option("--ctx-size-out", request.ctx_size_out, "room for it, in bytes")->type_name("N");
  command.add_option("--repeat", request.repeat, "run it so often; the time shown is the average")
      ->check(CLI::Range(std::uint32_t{1}, std::uint32_t{0x7fffffff}))
      ->type_name("N");
}

}  // namespace skep::cli
