// BPF_ITER_CREATE: the program of an iterator's link is run with everything it goes through, and what it writes is a
// file to be read. All of that happens here and now, not when somebody reads: the file needs nothing of the hive any
// more, and can be read by whoever has it.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "exec/failure.h"
#include "hive/elements.h"
#include "hive/iterator.h"
#include "hive/kernel_objects.h"
#include "hive/tag.h"
#include "jit/jit.h"

namespace skep::hive {
namespace {

constexpr std::size_t kText = 8 * 4096;  // of what is written about one object; more is E2BIG, as in the kernel
constexpr std::size_t kMostArguments = 4;
constexpr std::string_view kMeta = "bpf_iter_meta";

// What is called with every object, and what it wrote.
class Pass {
 public:
  Pass(Request& request, const ProgObject& program, const btf::Btf& types, int file);

  // Calls the program with `arguments` behind the one that describes the pass: 0 to go on, or an errno.
  int visit(std::span<const std::byte* const> arguments, std::span<const exec::Lent> lent) {
    return call_for(objects_++, arguments, lent);
  }
  // And behind the last object, with null in its place. It then still has that one's number.
  int end(std::span<const std::byte* const> arguments, std::span<const exec::Lent> lent) {
    return call_for(objects_ != 0 ? objects_ - 1 : 0, arguments, lent);
  }

 private:
  int call_for(std::uint64_t number, std::span<const std::byte* const> arguments, std::span<const exec::Lent> lent);
  int call(std::span<const std::byte* const> arguments, std::span<const exec::Lent> lent);
  bool keep();

  Request& request_;
  const ProgObject& program_;
  KernelObjects described_;
  std::byte* const sequence_;
  std::byte* const meta_;
  const int file_;
  std::array<char, kText> buffer_;
  exec::Sequence text_;
  std::uint64_t objects_ = 0;
};

Pass::Pass(Request& request, const ProgObject& program, const btf::Btf& types, int file)
    : request_(request),
      program_(program),
      described_(types),
      sequence_(described_.make("seq_file")),
      meta_(described_.make(kMeta)),
      file_(file),
      text_(buffer_, sequence_) {
  described_.set(meta_, kMeta, "seq", sequence_);
  described_.set(meta_, kMeta, "session_id", request.hive.iterations.fetch_add(1) + 1);
}

// The program says 1 to be asked about the same object again, which readers of the kernel's do.
int Pass::call_for(std::uint64_t number, std::span<const std::byte* const> arguments,
                   std::span<const exec::Lent> lent) {
  constexpr int kTimes = 2;
  int error = EAGAIN;
  for (int i = 0; i < kTimes && error == EAGAIN; ++i) {
    text_.clear();
    described_.set(meta_, kMeta, "seq_num", number);
    error = call(arguments, lent);
  }
  if (error != 0) return error;
  if (text_.overflowed()) return E2BIG;
  return keep() ? 0 : ENOSPC;
}

int Pass::call(std::span<const std::byte* const> arguments, std::span<const exec::Lent> lent) {
  std::array<const std::byte*, kMostArguments> context{meta_};
  std::ranges::copy(arguments, context.begin() + 1);
  std::vector<exec::Lent> memory = described_.lent();
  memory.insert(memory.end(), lent.begin(), lent.end());
  exec::Failure failure;
  exec::Call call(request_.hive.host);
  call.context = static_cast<void*>(context.data());
  call.context_bytes = static_cast<std::uint32_t>((arguments.size() + 1) * sizeof context[0]);
  call.budget = request_.hive.options.budget;
  call.failure = &failure;
  call.sequence = &text_;
  call.lent = memory;
  State& hive = request_.hive;
  const std::uint64_t result = runtime::run(hive.surroundings, *program_.code, call, program_.counters);
  if (call.stopped) return failure.kind == exec::Failure::Kind::Budget ? ETIMEDOUT : EACCES;
  return result == 0 ? 0 : EAGAIN;
}

bool Pass::keep() {
  std::span<const char> text = text_.text();
  while (!text.empty()) {
    const ssize_t written = ::write(file_, text.data(), text.size());
    if (written <= 0) return false;
    text = text.subspan(static_cast<std::size_t>(written));
  }
  return true;
}

// ---- What there is to go through

template <class Visit>
int visit_all(State& hive, Kind kind, Pass& pass, Visit visit) {
  for (std::uint32_t id = 0; (id = hive.objects.next(kind, id)) != 0;)
    if (const Ref<Object> object = hive.objects.find(kind, id); object)
      if (const int error = visit(*object); error != 0) return error;
  constexpr std::array<const std::byte*, 1> kNone{};
  return pass.end(kNone, {});
}

std::byte* made_of(KernelObjects& objects, const Object& object) {
  switch (object.kind()) {
    case Kind::Map: return objects.map(static_cast<const MapObject&>(object)).data();
    case Kind::Prog: return objects.program(static_cast<const ProgObject&>(object));
    case Kind::Link: return objects.link(static_cast<const LinkObject&>(object));
    case Kind::Btf: return nullptr;
  }
  return nullptr;
}

int visit_objects(State& hive, Kind kind, const btf::Btf& types, Pass& pass) {
  return visit_all(hive, kind, pass, [&](const Object& object) {
    KernelObjects made(types);
    const std::array<const std::byte*, 1> argument{made_of(made, object)};
    return pass.visit(argument, made.lent());
  });
}

// What a compiled function is called among the kernel's symbols: its tag and name.
std::string symbol_name(const std::array<std::uint8_t, 8>& tag, const std::string& name) {
  std::string text = "bpf_prog_";
  for (const std::uint8_t byte : tag) text += fmt::format("{:02x}", byte);
  return name.empty() ? text : text + "_" + name;
}

// The functions of a program that is compiled.
int visit_symbols(const ProgObject& program, const btf::Btf& types, Pass& pass) {
  const std::vector<jit::Function> functions =
      program.code != nullptr ? jit::functions(*program.code) : std::vector<jit::Function>{};
  std::vector<std::array<std::uint8_t, 8>> tags{program.tag_bytes};
  if (functions.size() > 1) tags = tags_of(program.translated, program.starts);
  for (std::size_t i = 0; i < functions.size() && i < tags.size(); ++i) {
    KernelObjects made(types);
    const std::string& name = functions[i].name.empty() ? program.name : functions[i].name;
    const std::array<const std::byte*, 1> argument{made.symbol(symbol_name(tags[i], name), functions[i].code.data())};
    if (const int error = pass.visit(argument, made.lent()); error != 0) return error;
  }
  return 0;
}

// The elements of a map where they lie; copies of those that have several values, or more in them than bytes.
class Elements {
 public:
  Elements(MapObject& map, const std::byte* described, std::span<const exec::Lent> lent, Pass& pass)
      : map_(map), described_(described), lent_(lent.begin(), lent.end()), pass_(pass) {
    if (is_copied()) copy_.resize(map.map->syscall_value_size());
  }
  int visit() {
    map_.map->for_each(
        [](void* self, std::byte* key, std::byte* value) noexcept -> std::uint64_t {
          return static_cast<Elements*>(self)->visit(key, value) ? 0 : 1;
        },
        this, 0);
    const std::array<const std::byte*, 3> none{described_};
    return error_ != 0 ? error_ : pass_.end(none, lent_);
  }

 private:
  bool is_copied() const {
    return !map_.fields.empty() || map_.map->syscall_value_size() != map_.map->spec().value_size;
  }
  bool visit(std::byte* key, std::byte* value) noexcept {
    if (is_copied()) {
      if (read_value(map_.elements(), key, copy_.data(), 0) != 0) return true;  // it has gone
      value = copy_.data();
    }
    const std::size_t value_bytes = is_copied() ? copy_.size() : map_.map->spec().value_size;
    std::vector<exec::Lent> lent = lent_;
    lent.push_back({key, map_.map->spec().key_size, false});
    lent.push_back({value, value_bytes, true});
    const std::array<const std::byte*, 3> arguments{described_, key, value};
    error_ = pass_.visit(arguments, lent);
    return error_ == 0;
  }

  MapObject& map_;
  const std::byte* const described_;
  const std::vector<exec::Lent> lent_;
  Pass& pass_;
  std::vector<std::byte> copy_;
  int error_ = 0;
};

int visit_elements(MapObject& map, const btf::Btf& types, Pass& pass) {
  KernelObjects made(types);
  const std::byte* described = made.map(map).data();
  return Elements(map, described, made.lent(), pass).visit();
}

int go_through(State& hive, const LinkObject& link, const btf::Btf& types, Pass& pass) {
  switch (link.iterator->what) {
    case Iterated::Maps: return visit_objects(hive, Kind::Map, types, pass);
    case Iterated::Programs: return visit_objects(hive, Kind::Prog, types, pass);
    case Iterated::Links: return visit_objects(hive, Kind::Link, types, pass);
    case Iterated::Elements: return visit_elements(*link.map, types, pass);
    case Iterated::Symbols:
      return visit_all(hive, Kind::Prog, pass, [&](const Object& object) {
        return visit_symbols(static_cast<const ProgObject&>(object), types, pass);
      });
  }
  __builtin_unreachable();
}

// A file as the kernel's, which is only read: its own description, at its start.
Result<Fd> for_reading(const Fd& written) {
  char path[32];
  std::snprintf(path, sizeof path, "/proc/self/fd/%d", written.get());
  Fd file(::open(path, O_RDONLY | O_CLOEXEC));
  if (!file) return fail(errno, "an iterator's text cannot be opened");
  return file;
}

}  // namespace

long iter_create(Request& request) {
  const spec::AttrIterCreate& attr = request.attr.iter_create;
  if (attr.flags != 0) return -EINVAL;
  const Found<LinkObject> link = find_link(request.hive, request.caller, static_cast<int>(attr.link_fd));
  if (!link.object) return -link.error;
  if (link.object->iterator == nullptr) return -EINVAL;
  const Ref<ProgObject> program = link.object->program();
  if (!program->code) return refuse(EOPNOTSUPP, "no engine here can run this program: " + program->obstacle);
  const Fd written(::memfd_create("bpf_iter", MFD_CLOEXEC));
  if (!written) return refuse(errno, "iter_create: no file for what the program writes");
  const btf::Btf& types = *request.hive.kernel_btf();  // the program was loaded by them
  const auto pass = std::make_unique<Pass>(request, *program, types, written.get());
  request.hive.count_statistics();
  if (const int error = go_through(request.hive, *link.object, types, *pass); error != 0)
    return refuse(error, "iter_create: the program writes more than 32 KiB about one object, or was stopped");
  Result<Fd> file = for_reading(written);
  return file ? request.caller.give(std::move(*file)) : refuse(file.error());
}

}  // namespace skep::hive
