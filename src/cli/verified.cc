#include "cli/verified.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "abi/route.h"
#include "base/fd.h"
#include "kernel/bpf.h"
#include "spec/attr.h"
#include "spec/commands.h"
#include "verifier/explore/verify.h"

namespace skep::cli {
namespace {

// What an answer takes depends on whether the machine has just done the same: the first takes three times as long.
// `spent`: on the first one.
void ask_again(std::chrono::nanoseconds spent, auto&& ask) {
  constexpr std::chrono::milliseconds kLong(2);
  const auto start = std::chrono::steady_clock::now();
  while (spent + (std::chrono::steady_clock::now() - start) < kLong) ask();
}

bool loads_program(int command) noexcept { return command == static_cast<int>(spec::Command::ProgLoad); }

Outcome outcome_of(int code) noexcept {
  if (code == 0) return Outcome::Accepted;
  return code == EOPNOTSUPP ? Outcome::Unsupported : Outcome::Rejected;
}

// Of the loads that libbpf makes the first one of the program: it repeats those that fail, for the log, and makes some
// of its own.
class Watcher final : public hive::LoadObserver {
 public:
  Watcher(Verified& found, const loader::Program& program, std::uint32_t log_level)
      : found_(found), program_(program), log_level_(log_level) {}

  void verified(const spec::VerifyInput& asked, const verifier::Verdict& said) override {
    const bool ours = static_cast<std::uint32_t>(asked.type) == program_.type &&
                      asked.name == std::string_view(program_.name).substr(0, spec::kObjNameBytes - 1);
    if (!ours) return;
    if (again_) found_.duration = std::min(found_.duration, said.duration);
    if (seen_) return;
    seen_ = true;
    found_.size = asked.insns.size();
    found_.stats = said.stats;
    found_.duration = said.duration;
    if (!said.result) {
      found_.code = said.result.error().code;
      found_.message = said.result.error().message;
      found_.explanation = verifier::explain(asked);
      if (found_.message.empty() && found_.explanation) found_.message = found_.explanation->message;
    }
    found_.outcome = outcome_of(found_.code);
    if (log_level_ != 0) keep_log(asked);
  }
  bool seen() const { return seen_; }
  std::chrono::nanoseconds shortest() const { return found_.duration; }

  // While it lives, the same load is repeated.
  class Again {
   public:
    explicit Again(Watcher& watcher) : watcher_(watcher) { watcher_.again_ = true; }
    ~Again() { watcher_.again_ = false; }
    Again(const Again&) = delete;
    Again& operator=(const Again&) = delete;

   private:
    Watcher& watcher_;
  };

 private:
  void keep_log(spec::VerifyInput asked) {
    asked.log_level = log_level_;
    asked.log_limit = std::size_t{1} << 30;
    found_.log = verifier::verify(asked).log;
  }

  Verified& found_;
  const loader::Program& program_;
  std::uint32_t log_level_;
  bool seen_ = false, again_ = false;
};

// Loads programs as somebody without capabilities would; what they use was made by somebody who has them.
class Loader final : public abi::Answerer {
 public:
  Loader(hive::Hive& hive, Watcher& watcher, const VerifyOptions& options)
      : hive_(hive), watcher_(watcher), unprivileged_(options.unprivileged), again_(options.again) {}

  long bpf(int command, void* attr, unsigned size) noexcept override {
    const bool had_seen = watcher_.seen();
    const long result = call(command, attr, size);
    if (loads_program(command) && result < 0) why = hive::Hive::last_error();
    if (again_ && watcher_.seen() && !had_seen) {
      const Watcher::Again timed(watcher_);
      ask_again(watcher_.shortest(), [&] { const Fd loaded(static_cast<int>(call(command, attr, size))); });
    }
    return result;
  }

  std::string why;  // the last load was refused

 private:
  class Nobody final : public hive::LocalCaller {
   public:
    hive::Privilege privilege() const noexcept override {
      return {.bpf = false, .perfmon = false, .net_admin = false, .sys_admin = false};
    }
  };
  long call(int command, void* attr, unsigned size) noexcept {
    hive::LocalCaller owner;
    Nobody nobody;
    hive::Caller& caller = loads_program(command) && unprivileged_ ? static_cast<hive::Caller&>(nobody) : owner;
    return hive_.call(caller, command, reinterpret_cast<std::uintptr_t>(attr), size);
  }

  hive::Hive& hive_;
  Watcher& watcher_;
  bool unprivileged_, again_;
};

std::expected<loader::Object, Failure> opened(const ObjectBytes& file, const VerifyOptions& options) {
  Result<loader::Object> object = loader::Object::open(file.bytes, file.name, {.target_btf = options.btf});
  if (!object) return give_up(Exit::Input, object.error().message);
  return *std::move(object);
}

std::uint64_t number_behind(std::string_view text, std::string_view word) {
  const std::size_t at = text.find(word);
  std::uint64_t number = 0;
  if (at != std::string_view::npos) std::from_chars(text.data() + at + word.size(), text.data() + text.size(), number);
  return number;
}

void read_log(std::string_view log, KernelVerdict& verdict) {
  verdict.duration = std::chrono::microseconds(number_behind(log, "verification time "));
  verdict.insns = number_behind(log, "processed ");
  verdict.states = number_behind(log, "total_states ");
  while (!log.empty()) {
    const std::size_t end = std::min(log.find('\n'), log.size());
    const std::string_view line = log.substr(0, end);
    log.remove_prefix(std::min(end + 1, log.size()));
    const bool always = line.starts_with("verification time") || line.starts_with("stack depth") ||
                        line.starts_with("processed ") || line.starts_with("insns processed");
    if (!line.empty() && !always) verdict.message = line;
  }
}

constexpr std::uint32_t kStatistics = 4;  // the log level of nothing else

// The kernel; the load whose log is asked for is repeated.
class KernelLoader final : public abi::Answerer {
 public:
  explicit KernelLoader(bool again) : again_(again) {}

  long bpf(int command, void* attr, unsigned size) noexcept override {
    const long result = kernel::bpf(command, attr, size);
    const auto* load = static_cast<const spec::AttrProgLoad*>(attr);
    if (!again_ || !loads_program(command) || result < 0 || load->log_level != kStatistics) return result;
    auto* log = reinterpret_cast<char*>(static_cast<std::uintptr_t>(load->log_buf));
    const auto look = [&] {
      KernelVerdict verdict;
      read_log(std::string_view(log, strnlen(log, load->log_size)), verdict);
      shortest = std::min(shortest, verdict.duration);
    };
    look();
    ask_again(shortest, [&] {
      const Fd loaded(static_cast<int>(kernel::bpf(command, attr, size)));
      look();
    });
    return result;
  }

  std::chrono::microseconds shortest = std::chrono::microseconds::max();

 private:
  bool again_;
};

}  // namespace

std::string_view name(Outcome outcome) noexcept {
  switch (outcome) {
    case Outcome::Accepted: return "accepted";
    case Outcome::Rejected: return "rejected";
    case Outcome::Unsupported: return "no verdict";
    case Outcome::NotAsked: return "not loaded";
  }
  return "";
}

std::expected<std::vector<std::string>, Failure> programs_of(const ObjectBytes& file, const std::string& only,
                                                             const VerifyOptions& options) {
  auto object = opened(file, options);
  if (!object) return std::unexpected(object.error());
  if (!only.empty()) {
    const Result<std::size_t> found = object->find_program(only);
    if (!found) return give_up(Exit::Input, found.error().message);
    return std::vector{only};
  }
  std::vector<std::string> names;
  for (const loader::Program& program : object->programs())
    if (program.type != 0) names.push_back(program.name);
  if (names.empty())
    return give_up(
        Exit::Input,
        fmt::format("{}: no program in a section of known type (\"xdp\", \"tc\", \"socket\" ...)", file.name));
  return names;
}

std::expected<Verified, Failure> verify_program(const ObjectBytes& file, const std::string& program,
                                                const VerifyOptions& options) {
  auto object = opened(file, options);
  if (!object) return std::unexpected(object.error());
  const std::size_t index = *object->find_program(program);
  const loader::Program& about = object->programs()[index];
  Verified found;
  found.program = program;
  found.type = spec::name(spec::ProgType{about.type});
  Watcher watcher(found, about, options.log_level);
  hive::Options hive_options;
  hive_options.verification = hive::Verification::Required;
  hive_options.observer = &watcher;
  hive_options.unprivileged = options.unprivileged;
  Result<std::unique_ptr<hive::Hive>> hive = hive::Hive::create(hive_options);
  if (!hive) return give_up(Exit::Unavailable, hive.error().message);
  Loader loader(**hive, watcher, options);
  const Result<> loaded = [&] {
    const abi::Target target = abi::use(loader);
    return object->load_only(index, nullptr);
  }();
  if (!watcher.seen() && !loaded) {
    found.code = loaded.error().code;
    found.message = loader.why.empty() ? loaded.error().message : loader.why;
  }
  {
    const loader::Object closed = *std::move(object);
  }  // its descriptors go before the hive
  return found;
}

std::expected<KernelVerdict, Failure> ask_kernel(const ObjectBytes& file, const std::string& program,
                                                 const VerifyOptions& options) {
  auto object = opened(file, options);
  if (!object) return std::unexpected(object.error());
  constexpr std::size_t kLogBytes = std::size_t{1} << 20;
  loader::LoadLog log{.level = kStatistics, .text = std::string(kLogBytes, '\0')};
  KernelLoader loader(options.again);
  const abi::Target target = abi::use(loader);
  const Result<> loaded = object->load_only(*object->find_program(program), &log);
  KernelVerdict verdict;
  read_log(log.text, verdict);
  verdict.duration = std::min(verdict.duration, loader.shortest);
  // What libbpf does afterwards may fail, too: a prog array may name programs that are not loaded now.
  const bool accepted = loaded || (verdict.insns != 0 && verdict.message.empty());
  verdict.outcome = accepted ? Outcome::Accepted : log.text.empty() ? Outcome::NotAsked : Outcome::Rejected;
  if (accepted)
    verdict.message.clear();
  else
    verdict.code = loaded.error().code;
  return verdict;
}

}  // namespace skep::cli
