#include "hive/prog_load.h"

#include <fmt/format.h>
#include <net/if.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "base/errno.h"
#include "base/user.h"
#include "hive/bind.h"
#include "hive/map_values.h"
#include "hive/prog_types.h"
#include "hive/tag.h"
#include "hive/user_text.h"

namespace skep::hive {
namespace {

using spec::AttrProgLoad;
using spec::ProgType;

constexpr std::uint32_t kKnownFlags = spec::kStrictAlignment | spec::kAnyAlignment | spec::kTestStateFreq |
                                      spec::kSleepable | spec::kTestRndHi32 | spec::kXdpHasFrags |
                                      spec::kXdpDevBoundOnly | spec::kTestRegInvariants | spec::kProgTokenFd;

constexpr std::array kGplCompatible = {
    std::string_view("GPL"),          std::string_view("GPL v2"),       std::string_view("GPL and additional rights"),
    std::string_view("Dual BSD/GPL"), std::string_view("Dual MIT/GPL"), std::string_view("Dual MPL/GPL"),
};

constexpr std::size_t kMostUnprivilegedInsns = 4096;

std::uint64_t since_boot() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
}

constexpr std::uint32_t kMostTypeId = 0xfffff;

// attach_prog_fd or attach_btf_obj_fd, which are one word, and attach_btf_id: a function of a program or of the kernel.
Result<Target> find_target(Request& request) {
  const AttrProgLoad& attr = request.attr.prog_load;
  Target target{.btf_id = attr.attach_btf_id, .program = {}, .kernel = nullptr};
  if (attr.attach_prog_fd != 0) {
    Found<ProgObject> program = find_prog(request.hive, request.caller, static_cast<int>(attr.attach_prog_fd));
    target.program = std::move(program.object);
    if (target.program) return target;
    const bool btf = bool(find_btf(request.hive, request.caller, static_cast<int>(attr.attach_btf_obj_fd)).object);
    return fail(btf ? kNotSupported : EINVAL, "attach_prog_fd is neither a program nor a kernel's BTF");
  }
  if (attr.attach_btf_id == 0) return target;
  target.kernel = request.hive.kernel_btf();
  if (target.kernel == nullptr) return fail(EINVAL, "the kernel's types cannot be read: there is nothing to attach to");
  return target;
}

Result<> check_target(ProgType type, const Target& target) {
  const bool to_program = bool(target.program);
  if (target.btf_id > kMostTypeId) return fail(EINVAL, "attach_btf_id is larger than any");
  if (target.btf_id != 0 && !attaches_to_btf(type)) return fail(EINVAL, "programs of this type attach to no function");
  if (to_program && type != ProgType::Tracing && type != ProgType::Ext)
    return fail(EINVAL, "programs of this type do not attach to programs");
  return {};
}

Result<Target> check_attr(Request& request) {
  const AttrProgLoad& attr = request.attr.prog_load;
  const auto type = ProgType{attr.prog_type};
  const Privilege privilege = request.caller.privilege();
  if ((attr.prog_flags & ~kKnownFlags) != 0) return fail(EINVAL, "unknown prog_flags");
  if ((attr.prog_flags & spec::kProgTokenFd) != 0)
    return fail(request.caller.descriptor(attr.prog_token_fd) ? EINVAL : EBADF, "prog_token_fd is no token");
  if (!privilege.bpf && !request.hive.options.unprivileged) return fail(EPERM, "loading programs is not permitted");
  const std::size_t most = privilege.bpf ? isa::kMaxInsns : kMostUnprivilegedInsns;
  if (attr.insn_cnt == 0 || attr.insn_cnt > most)
    return fail(E2BIG, fmt::format("{} instructions: a program has 1 to {}", attr.insn_cnt, most));
  if (!permitted(type, privilege)) return fail(EPERM, "loading programs of this type is not permitted");
  TRY(Target target, find_target(request));
  TRY_VOID(check_target(type, target));
  if (!takes_attach_type(type, default_attach_type(type, attr.expected_attach_type)))
    return fail(EINVAL,
                fmt::format("expected_attach_type {} is not for programs of this type", attr.expected_attach_type));
  return target;
}

// No interface of the machine takes programs of a hive.
int device_error(const AttrProgLoad& attr) noexcept {
  char name[IF_NAMESIZE];
  const bool for_devices = ProgType{attr.prog_type} == ProgType::SchedCls || ProgType{attr.prog_type} == ProgType::Xdp;
  return for_devices && ::if_indextoname(attr.prog_ifindex, name) != nullptr ? EOPNOTSUPP : EINVAL;
}

// What is copied from the caller, in the kernel's order.
Result<> read_program(Loading& loading, ProgObject& program) {
  Request& request = loading.request;
  const AttrProgLoad& attr = request.attr.prog_load;
  loading.insns.resize(attr.insn_cnt);
  if (!request.caller.copy_in(attr.insns, std::as_writable_bytes(std::span(loading.insns))))
    return fail(EFAULT, "bad address of the instructions");
  TRY(const std::string license, read_name(request.caller, attr.license));
  program.gpl = std::ranges::find(kGplCompatible, license) != kGplCompatible.end();
  if (attr.prog_ifindex != 0) return fail(device_error(attr), "there are no devices to offload programs to");
  if (!spec::prog_type(attr.prog_type) || attr.prog_type == 0)
    return fail(EINVAL, fmt::format("unknown program type {}", attr.prog_type));
  TRY(program.name, object_name(attr.prog_name));
  program.type = ProgType{attr.prog_type};
  program.attach_type = default_attach_type(program.type, attr.expected_attach_type);
  program.flags = attr.prog_flags;
  program.attach_btf_id = loading.target.btf_id;
  program.load_time = since_boot();
  program.uid = real_user();
  loading.source.type = program.type;
  loading.source.attach_type = program.attach_type;
  loading.source.name = program.name;
  return {};
}

// Debug records by the lowered instructions, whose order and number lowering keeps.
Result<> place_debug_info(Loading& loading, ProgObject& program, const exec::Image& image) {
  if (!loading.funcs.empty() && loading.funcs.size() != image.subprograms.size())
    return fail(EINVAL, "number of funcs in func_info doesn't match number of subprogs");
  for (std::size_t i = 0; i < loading.funcs.size(); ++i) loading.funcs[i].insn_off = image.subprograms[i].start;
  for (std::size_t i = 0; i < loading.lines.size() && i < image.lines.size(); ++i)
    loading.lines[i].insn_off = image.lines[i].insn;
  program.funcs = std::move(loading.funcs);
  program.lines = std::move(loading.lines);
  return {};
}

Result<> check_tail_calls(const Loading& loading, const ProgObject& program) {
  for (const Ref<MapObject>& map : loading.maps)
    if (map->map->spec().type == spec::MapType::ProgArray && !compatible(*map, program))
      return fail(EINVAL, "the program differs in type from those of the prog array it uses");
  return {};
}

// Instructions as the engines run them, with the ids of maps where their addresses will be.
std::vector<isa::Insn> translated(const exec::Image& image) {
  std::vector<isa::Insn> insns = image.insns;
  for (const exec::Relocation& relocation : image.relocations) {
    if (relocation.kind == exec::Relocation::Kind::Kfunc) continue;  // shown by its BTF id
    isa::Insn& insn = insns[relocation.insn];
    insn.imm = static_cast<std::int32_t>(relocation.id);
    if (relocation.kind == exec::Relocation::Kind::MapValue)
      insns[relocation.insn + 1].imm = static_cast<std::int32_t>(relocation.offset);
  }
  return insns;
}

// Blinding as the loader's rights ask for it.
jit::Options compiler_options(const Request& request) {
  const Options& options = request.hive.options;
  jit::Options chosen = options.jit;
  chosen.hardening.blinding |=
      options.harden == Harden::All || (options.harden == Harden::Unprivileged && !request.caller.privilege().bpf);
  return chosen;
}

Result<> bind(Loading& loading, ProgObject& program, exec::Image lowered, Engine engine) {
  program.binding = {.engine = engine,
                     .compiling = compiler_options(loading.request),
                     .masks_indices = !loading.request.caller.privilege().perfmon};
  std::vector<MapObject*> used;
  for (const Ref<MapObject>& map : loading.maps) used.push_back(map.get());
  TRY(Bound bound, bind_image(loading.request.hive, std::move(lowered), used, program.binding));
  program.code = std::move(bound.code);
  program.engine_note = std::move(bound.note);
  const exec::Image& image = program.code->image();
  program.translated = translated(image);
  for (const exec::Subprogram& function : image.subprograms) program.starts.push_back(function.start);
  return place_debug_info(loading, program, image);
}

// What of the source another program needs that replaces a function, or that has one of this one's in it.
void keep_for_extensions(const Loading& loading, ProgObject& program) {
  if (program.functions.empty()) return;
  auto kept = std::make_shared<exec::Source>(loading.source);
  kept->facts = nullptr;
  kept->lines.clear();
  program.source = std::move(kept);
}

Result<> accept_unverified(Loading& loading, ProgObject& program) {
  TRY_VOID(check_debug_info(loading));
  find_maps(loading);
  TRY_VOID(resolve_maps(loading));
  TRY(exec::Image image, exec::assume_verified(loading.source, "bound with the checked policy"));
  TRY_VOID(bind(loading, program, std::move(image), Engine::Checked));
  loading.log.add(fmt::format("{} instructions accepted unverified", loading.insns.size()));
  return {};
}

// A program that no engine here can run is loaded all the same.
void bind_verified(Loading& loading, ProgObject& program) {
  keep_for_extensions(loading, program);
  Result<exec::Image> image = exec::verify(loading.source);
  const Result<> bound = image ? bind(loading, program, *std::move(image), loading.request.hive.options.engine)
                               : std::unexpected(std::move(image).error());
  if (bound) return;
  program.obstacle = bound.error().message;
  program.translated = loading.source.insns;
  program.funcs = std::move(loading.funcs);
  program.lines = std::move(loading.lines);
}

Result<> accept_verified(Loading& loading, ProgObject& program) {
  TRY_VOID(verify(loading, program));
  bind_verified(loading, program);
  show(loading, program);
  return {};
}

Result<> accept(Loading& loading, ProgObject& program) {
  TRY_VOID(read_debug_info(loading));
  TRY_VOID(relocate(loading));
  program.tag_bytes = tag_of(loading.insns);
  const bool required = loading.request.hive.options.verification == Verification::Required;
  TRY_VOID(required ? accept_verified(loading, program) : accept_unverified(loading, program));
  return check_tail_calls(loading, program);
}

// The verifier's part: everything from here on is told in the log.
Result<> accept_logged(Loading& loading, ProgObject& program) {
  Request& request = loading.request;
  if (!loading.log.valid()) return fail(EINVAL, "log level, buffer and size do not go together");
  Result<> accepted = accept(loading, program);
  if (!accepted) {
    tell_record_size(loading, accepted.error());
    if (loading.log.text.empty()) loading.log.add(accepted.error().message);
  }
  int error = loading.log.write(request.caller);
  constexpr std::size_t kTrueSize = offsetof(AttrProgLoad, log_true_size);
  if (request.attr_bytes >= kTrueSize + sizeof(std::uint32_t) && !answer(request, kTrueSize, loading.log.true_size()))
    error = EFAULT;
  if (error != 0) return fail(error, "the log does not fit its buffer");
  return accepted;
}

Ref<ProgObject> enter(Loading& loading, std::shared_ptr<ProgObject> program) {
  Objects& objects = loading.request.hive.objects;
  program->btf = loading.btf.get();
  program->target = loading.target.program.get();
  for (const Ref<MapObject>& map : loading.maps) program->maps.push_back(map.get());
  Ref<ProgObject> ref = objects.insert(std::move(program), objects.take_id(Kind::Prog));
  if (loading.btf) objects.hold(*ref, *loading.btf);
  if (loading.target.program) objects.hold(*ref, *loading.target.program);
  for (const Ref<MapObject>& map : loading.maps) objects.hold(*ref, *map);
  return ref;
}

}  // namespace

long prog_load(Request& request) {
  Result<Target> target = check_attr(request);
  if (!target) return refuse(std::move(target.error()));
  const AttrProgLoad& attr = request.attr.prog_load;
  Loading loading{.request = request,
                  .log = {.level = attr.log_level, .address = attr.log_buf, .size = attr.log_size},
                  .target = *std::move(target),
                  .source = {},
                  .insns = {},
                  .btf = {},
                  .func_bytes = {},
                  .line_bytes = {},
                  .funcs = {},
                  .lines = {},
                  .maps = {},
                  .uses = {},
                  .functions = {},
                  .rewrites = {}};
  auto program = std::make_shared<ProgObject>();
  if (Result<> read = read_program(loading, *program); !read) return refuse(std::move(read.error()));
  if (Result<> accepted = accept_logged(loading, *program); !accepted) return refuse(std::move(accepted.error()));
  return install(request, *enter(loading, std::move(program)));
}

}  // namespace skep::hive
