#include "verifier/explain/explain.h"

#include <fmt/format.h>

#include <algorithm>

#include "isa/op.h"
#include "spec/helpers.h"
#include "spec/types.h"
#include "spec/uapi.h"
#include "verifier/explain/causes.h"
#include "verifier/explain/words.h"
#include "verifier/explore/verify.h"
#include "verifier/step/print_insn.h"

namespace skep::verifier {
namespace {

using isa::Op;

constexpr std::size_t kLogBytes = std::size_t{64} << 10;  // of the log's end: its last sentences
constexpr std::size_t kMostSentences = 16;
constexpr std::size_t kMostEvents = 8;

constexpr Cause kOther{"other", "", Subject::None, "{message}", "", ""};

// The log's last lines, newest first, without what is said of every program.
std::vector<std::string_view> sentences(std::string_view log) {
  std::vector<std::string_view> lines;
  while (!log.empty() && lines.size() < kMostSentences) {
    if (log.ends_with('\n')) log.remove_suffix(1);
    const std::size_t begin = log.rfind('\n') + 1;  // 0 when there is none
    const std::string_view line = log.substr(begin);
    if (!line.empty() && !line.starts_with("processed ") && !line.starts_with("; ")) lines.push_back(line);
    log = log.substr(0, begin);
  }
  return lines;
}

class Explainer {
 public:
  Explainer(const Walk& walk, std::string_view log) : walk_(walk), lines_(sentences(log)) {}

  Explanation make() {
    find_cause();
    find_place();
    suspect_ = suspect_of(walk_, cause_.subject, facts_);
    if (suspect_) value_ = value_in(walk_, suspect_->step, suspect_->place);
    find_events();
    name_value();
    describe_access();
    if (cause_.name == "scalar_as_pointer" && lost_packet_) choose("packet_lost");
    made_.what = fill(cause_.what, facts_);
    made_.needed = fill(cause_.needed, facts_);
    made_.hint = fill(cause_.hint, facts_);
    made_.missing = missing();
    return std::move(made_);
  }

 private:
  // ---- Which row
  void find_cause() {
    made_.code = walk_.rejection->code;
    made_.message = walk_.rejection->message;
    if (says_less()) found_ = try_line(1);
    for (std::size_t i = 0; i < lines_.size() && !found_; ++i) found_ = try_line(i);
    if (made_.message.empty() && !lines_.empty()) made_.message = lines_[0];
    made_.cause = cause_.name;
    facts_.set("message", made_.message);
    facts_.set("program", std::string(spec::name(walk_.type)));
  }
  // "R1 offset is outside of the packet" comes behind a line with numbers, which says more if the offset is constant.
  bool says_less() {
    Facts last;
    if (lines_.size() < 2 || !match("R{reg} {} outside of the {}", lines_[0], last)) return false;
    const auto reg = last.number("reg");
    match("invalid access to map value, value_size={value_size} off={} size={}", lines_[1], facts_);
    return reg && *reg >= 0 && *reg < std::int64_t{isa::kRegisters} &&
           walk_.peek(static_cast<unsigned>(*reg)).is_fixed();
  }
  void choose(std::string_view name) {
    cause_ = *std::ranges::find(causes(), name, &Cause::name);
    made_.cause = cause_.name;
  }
  bool try_line(std::size_t at) {
    for (const Cause& cause : causes()) {
      if (!match(cause.pattern, lines_[at], facts_)) continue;
      cause_ = cause;
      made_.message = lines_[at];
      if (at + 1 < lines_.size()) facts_.set("detail", std::string(lines_[at + 1]));
      return true;
    }
    return false;
  }

  // ---- Where
  bool walked() const { return walk_.trail && walk_.trail->size() != 0; }
  void find_place() {
    made_.insn = walk_.rejection->insn;
    for (const char* const name : {"at", "from"})
      if (const auto insn = facts_.number(name); insn && !walked()) made_.insn = static_cast<std::size_t>(*insn);
    if (made_.insn >= walk_.input.insns.size()) return;
    made_.text = text_of(walk_, made_.insn);
    made_.place = place_of(walk_, made_.insn);
    if (walk_.input.btf != nullptr)
      made_.function = btf::function_name(*walk_.input.btf, walk_.funcs, static_cast<std::uint32_t>(made_.insn));
    if (const auto alloc = facts_.number("alloc"))
      if (const auto place = place_of(walk_, static_cast<std::size_t>(*alloc))) facts_.set("line", place->line);
  }

  // ---- What happened to the value
  void find_events() {
    if (!suspect_) return;
    std::vector<Event> events = way_of(walk_, suspect_->step, suspect_->place);
    learnt_ = std::ranges::any_of(events, [](const Event& e) { return e.what == Event::What::Learnt; });
    for (std::size_t i = 1; i < events.size(); ++i)
      lost_packet_ |= events[i].what == Event::What::Lost && events[i - 1].after.is_packet();
    if (events.size() > kMostEvents) events.erase(events.begin() + 1, events.end() - (kMostEvents - 1));
    for (const Event& event : events) add(event);
  }
  void add(const Event& event) {
    Because because{event.insn, text_of(walk_, event.insn), place_of(walk_, event.insn), told(event)};
    const bool same_line =
        !made_.because.empty() && because.place && made_.because.back().place == because.place && same_kind(event);
    last_ = event.what;
    if (same_line)
      made_.because.back() = std::move(because);
    else
      made_.because.push_back(std::move(because));
  }
  // Of one line only the last word counts.
  bool same_kind(const Event& event) const {
    return event.what == Event::What::Computed && last_ != Event::What::Learnt && last_ != Event::What::Lost;
  }
  static std::string name_of(const ValuePlace& place) {
    return place.is_slot ? fmt::format("fp-{}", (place.number + 1) * kSlotBytes) : fmt::format("r{}", place.number);
  }
  std::string told(const Event& event) const {
    const std::string name = name_of(event.place), words = describe(event.after, walk_);
    switch (event.what) {
      case Event::What::Given:
        if (event.after.kind == Kind::Unset) return fmt::format("{} has no value from the beginning", name);
        return fmt::format("{} is given: {}", name, words);
      case Event::What::Learnt: return fmt::format("from here on {} is {}", name, words);
      case Event::What::Lost: return fmt::format("this makes {} {}", name, words);
      case Event::What::Loaded:
      case Event::What::Constant:
      case Event::What::Returned:
      case Event::What::Computed:
      case Event::What::Written: break;
    }
    return fmt::format("{} = {}", name, words);
  }

  // ---- How the value is called
  Op op() const { return isa::decode(walk_.input.insns[made_.insn]); }
  std::string helper() const {
    const isa::Insn& insn = walk_.input.insns[made_.insn];
    if (op() == Op::CallKfunc) return walk_.names.btf_type(spec::kKernelBtf, static_cast<std::uint32_t>(insn.imm));
    const spec::Helper* const found =
        op() == Op::CallHelper ? spec::find_helper(static_cast<std::uint32_t>(insn.imm)) : nullptr;
    return found != nullptr ? fmt::format("bpf_{}", found->name) : "";
  }
  std::optional<Expression> expression() const {
    return made_.place ? expression_at(made_.place->text, made_.place->column) : std::nullopt;
  }
  // "i" of "values[i]".
  static std::optional<std::string> subscript(const std::string& text) {
    const std::size_t open = text.find('[');
    if (open == std::string::npos || !text.ends_with(']')) return std::nullopt;
    return text.substr(open + 1, text.size() - open - 2);
  }
  std::optional<std::string> source_name() const {
    if (isa::is_call(op()))
      return made_.place ? argument_of(made_.place->text, helper(), static_cast<unsigned>(suspect_->place.number))
                         : std::nullopt;
    const auto here = expression();
    if (isa::form(op()) == isa::Form::StoreReg && suspect_->place.number == walk_.input.insns[made_.insn].src)
      return made_.place ? stored_in(made_.place->text) : std::nullopt;
    if (cause_.subject != Subject::Index) {
      if (here) return here->base;
    } else if (const auto index = here ? subscript(here->text) : std::nullopt) {
      return index;
    }
    for (auto because = made_.because.rbegin(); because != made_.because.rend(); ++because)
      if (const auto name = because->place ? assigned_in(because->place->text) : std::nullopt) return name;
    return std::nullopt;
  }
  // An index that was multiplied by the size of an element.
  bool is_scaled() const {
    if (cause_.subject != Subject::Index || made_.because.empty() || last_ != Event::What::Computed) return false;
    const Op last = isa::decode(walk_.input.insns[made_.because.back().insn]);
    return last == Op::Lsh64Imm || last == Op::Mul64Imm || last == Op::Lsh32Imm || last == Op::Mul32Imm;
  }
  // Where the access ends, in C: `ip + 1` of `ip->protocol`, `(void *)data + 15` of `data[14]`.
  std::string end_in_c() const {
    const auto here = expression();
    const bool is_member = here && here->text.starts_with(here->base + "->");
    if (is_member) return fmt::format("(void *)({} + 1)", here->base);
    const std::string* const reach = facts_.find("reach");
    return fmt::format("(void *){} + {}", made_.subject, reach != nullptr ? *reach : "size");
  }
  void name_value() {
    if (const auto here = expression()) facts_.set("base", here->base);
    if (!suspect_) return;
    made_.subject = source_name().value_or(name_of(suspect_->place));
    made_.known = describe(value_, walk_) + (is_scaled() ? " (in bytes)" : "");
    facts_.set("var", made_.subject);
    if (facts_.find("base") == nullptr) facts_.set("base", made_.subject);
    facts_.set("known", made_.known);
    if (facts_.find("arg") == nullptr) facts_.set("arg", static_cast<std::int64_t>(suspect_->place.number));
  }

  // ---- What the instruction does
  void describe_access() {
    if (made_.insn >= walk_.input.insns.size()) return;
    const std::string called = helper();
    if (!called.empty()) facts_.set("helper", called);
    const bool stores = isa::writes_memory(op()) || isa::is_atomic(op());
    const std::string verb = isa::is_call(op()) ? fmt::format("lets {} access", called) : stores ? "writes" : "reads";
    facts_.set("access", verb);
    if (const unsigned size = isa::access_bytes(op()); size != 0) facts_.set("size", size);
    const auto size = facts_.number("size");
    facts_.set("does", size ? fmt::format("{} {}", verb, bytes(*size)) : verb);
    if (const auto off = facts_.number("off"); off && size) facts_.set("end", *off + *size);
    if (size) facts_.set("reach", *size + (isa::is_call(op()) ? 0 : walk_.input.insns[made_.insn].off));
    facts_.set("behind", end_in_c());
    describe_map();
    if (const auto total = facts_.number("value_size"); total && size) facts_.set("last", *total - *size);
  }
  // The map that the accessed pointer leads to.
  void describe_map() {
    if (!suspect_) return;
    const auto reg = walked() ? base_register(walk_, facts_) : std::nullopt;
    const std::size_t last = walk_.trail->size() - 1;
    const Register base = reg ? value_in(walk_, last, {(*walk_.trail)[last].top(), false, *reg}) : value_;
    if (base.kind != Kind::MapValue && base.kind != Kind::MapPointer) return;
    const spec::MapSpec& map = walk_.map(base.map).spec;
    if (!map.name.empty()) facts_.set("map", map.name);
    if (facts_.find("value_size") == nullptr && base.kind == Kind::MapValue) facts_.set("value_size", map.value_size);
  }

  // ---- What did not happen
  std::string missing() const {
    if (!suspect_ || learnt_ || cause_.subject == Subject::Reference) return "";
    const std::string& var = made_.subject;
    if (value_.kind == Kind::Packet && value_.range == 0)
      return fmt::format("no comparison of {} with data_end on this path", var);
    if (value_.is_pointer() && value_.may_be_null())
      return fmt::format("no comparison of {} with NULL on this path", var);
    const bool bounds = cause_.subject == Subject::Index || cause_.name.starts_with("size_");
    if (value_.is_scalar() && !value_.is_constant() && bounds)
      return fmt::format("no comparison bounds {} on this path", var);
    return "";
  }

  const Walk& walk_;
  std::vector<std::string_view> lines_;
  Cause cause_ = kOther;
  bool found_ = false;
  Facts facts_;
  std::optional<Suspect> suspect_;
  Register value_;
  bool learnt_ = false, lost_packet_ = false;
  Event::What last_ = Event::What::Given;
  Explanation made_;
};

class Observer final : public Recorder {
 public:
  void rejected(const Walk& walk, std::string_view log) override { explanation = Explainer(walk, log).make(); }
  std::optional<Explanation> explanation;
};

}  // namespace

std::optional<Explanation> explain(const spec::VerifyInput& input, Rules rules) {
  spec::VerifyInput again = input;
  again.log_level = spec::kLogBranches;
  again.log_limit = kLogBytes;
  Observer observer;
  verify(again, rules, &observer);
  return std::move(observer.explanation);
}

std::vector<CauseRow> cause_rows() {
  std::vector<CauseRow> rows;
  for (const Cause& cause : causes()) rows.push_back({cause.name, cause.pattern, cause.what, cause.needed, cause.hint});
  return rows;
}

}  // namespace skep::verifier
