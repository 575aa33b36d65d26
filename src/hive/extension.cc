#include "hive/extension.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "exec/doors.h"
#include "exec/replace.h"
#include "hive/bind.h"
#include "verifier/explore/verify.h"

namespace skep::hive {
namespace {

using Extension = ProgObject::Extension;

// Code of several programs, and the extensions in it: their maps stay while anybody may run it.
struct Whole {
  std::vector<Ref<ProgObject>> parts;
  std::shared_ptr<const exec::Executable> code;
};

void add_maps(ProgObject& program, std::vector<MapObject*>& to) {
  const std::scoped_lock lock(program.mutex);
  for (MapObject* map : program.maps)
    if (std::ranges::find(to, map) == to.end()) to.push_back(map);
}

Result<exec::Image> image_of(const ProgObject& target, std::span<const Extension> extensions) {
  std::vector<exec::Replacement> parts;
  for (const Extension& extension : extensions) parts.push_back({extension.function, extension.program->source.get()});
  TRY(const exec::Source source, exec::replace(*target.source, parts));
  return exec::verify(source);
}

Result<std::shared_ptr<const exec::Executable>> bind_whole(State& hive, ProgObject& target,
                                                           std::span<const Extension> extensions) {
  TRY(exec::Image image, image_of(target, extensions));
  auto whole = std::make_shared<Whole>();
  std::vector<MapObject*> maps;
  Binding with = target.binding;
  add_maps(target, maps);
  for (const Extension& extension : extensions) {
    add_maps(*extension.program, maps);
    with.compiling.hardening.blinding |= extension.program->binding.compiling.hardening.blinding;
    with.masks_indices |= extension.program->binding.masks_indices;
    whole->parts.emplace_back(extension.program);
  }
  TRY(Bound bound, bind_image(hive, std::move(image), maps, with));
  whole->code = std::move(bound.code);
  const exec::Executable* code = whole->code.get();
  return std::shared_ptr<const exec::Executable>(std::move(whole), code);
}

// Binds anew what runs, with the target's lock held. Without any, or where that fails, it is the program as it was.
Result<> bind_anew(State& hive, ProgObject& target) {
  target.extended = nullptr;
  if (target.extensions.empty()) return {};
  TRY(target.extended, bind_whole(hive, target, target.extensions));
  return {};
}

// ---- What is asked before

bool is_array(const Object& holder) {
  return holder.kind() == Kind::Map &&
         static_cast<const MapObject&>(holder).map->spec().type == spec::MapType::ProgArray;
}

// Whether the program may extend a function of another program than it was loaded for: 0 or an errno.
int check_other(const ProgObject& program, const ProgObject& target, std::uint32_t btf_id) {
  if (program.target == nullptr || target.type != program.target->type ||
      target.attach_type != program.target->attach_type)
    return EINVAL;
  const spec::VerifyInput input{
      .type = program.type,
      .attach = spec::AttachType{program.attach_type},
      .insns = {},
      .btf = program.btf != nullptr ? &program.btf->types : nullptr,
      .target = {.btf_id = btf_id,
                 .btf = target.btf != nullptr ? &target.btf->types : nullptr,
                 .is_program = true,
                 .program_name = target.name,
                 .program_type = target.type,
                 .program_attach = spec::AttachType{target.attach_type},
                 .program_is_attached = target.target != nullptr,
                 .functions = target.functions},
  };
  const verifier::TargetVerdict verdict = verifier::check_extension(input, program.functions.front());
  if (verdict) return 0;
  refuse(verdict.error().code, "link_create: " + verdict.error().message);
  return verdict.error().code;
}

Result<std::uint32_t> function_of(const ProgObject& target, std::uint32_t btf_id) {
  const auto found = std::ranges::find(target.functions, btf_id, &spec::TargetFunction::type_id);
  if (found == target.functions.end())
    return fail(EINVAL, "link_create: the target has no function " + std::to_string(btf_id));
  return static_cast<std::uint32_t>(found - target.functions.begin());
}

Result<> check_engines(const ProgObject& program, const ProgObject& target) {
  if (program.source != nullptr && target.source != nullptr && target.code != nullptr) return {};
  return fail(EOPNOTSUPP, "link_create: no engine here can run the target, or programs are not verified here");
}

Result<> extend(State& hive, ProgObject& target, const Extension& extension) {
  const std::scoped_lock lock(target.extensions_mutex);
  if (std::ranges::find(target.extensions, extension.function, &Extension::function) != target.extensions.end())
    return fail(EBUSY, "link_create: the function is replaced already");
  target.extensions.push_back(extension);
  target.is_extended = true;
  Result<> extended =
      hive.objects.is_held(target, is_array) ? fail(EBUSY, "link_create: the target is in a prog array") : Result<>();
  if (extended) extended = bind_anew(hive, target);
  if (extended) return {};
  target.extensions.pop_back();
  target.is_extended = !target.extensions.empty();
  [[maybe_unused]] const Result<> as_before = bind_anew(hive, target);
  return extended;
}

long make_link(Request& request, ProgObject& program, ProgObject& target, std::uint32_t btf_id) {
  const Result<std::uint32_t> function = function_of(target, btf_id);
  if (!function) return refuse(function.error());
  if (const Result<> fit = check_engines(program, target); !fit) return refuse(fit.error());
  Objects& objects = request.hive.objects;
  objects.get(Kind::Prog, target.id());  // prog arrays that nobody has any more let go of it
  running(request.hive, target);         // and links
  auto made = std::make_shared<LinkObject>(target, btf_id);
  made->set_program(&program);
  const Ref<LinkObject> link = objects.insert(std::move(made), objects.take_id(Kind::Link));
  objects.hold(*link, program);
  objects.hold(*link, target);
  const Result<> extended =
      extend(request.hive, target, {.function = *function, .link = link->id(), .program = &program});
  if (!extended) return refuse(extended.error());
  program.was_attached = true;
  return install(request, *link);
}

}  // namespace

long attach_extension(Request& request, ProgObject& program, std::uint32_t target_fd, std::uint32_t btf_id) {
  if (program.attach_type != 0 || (target_fd != 0) != (btf_id != 0)) return -EINVAL;
  if (target_fd == 0) {
    if (program.was_attached || program.target == nullptr) return -EINVAL;
    return make_link(request, program, *program.target, program.attach_btf_id);
  }
  const Found<ProgObject> target = find_prog(request.hive, request.caller, static_cast<int>(target_fd));
  if (!target.object) return -target.error;
  const bool is_own = !program.was_attached && target.object.get() == program.target && btf_id == program.attach_btf_id;
  if (!is_own)
    if (const int error = check_other(program, *target.object, btf_id); error != 0) return -error;
  return make_link(request, program, *target.object, btf_id);
}

void detach_extension(State& hive, const LinkObject& link) noexcept {
  if (link.target == nullptr) return;
  ProgObject& target = *link.target;
  const std::scoped_lock lock(target.extensions_mutex);
  if (std::erase_if(target.extensions, [&](const Extension& one) { return one.link == link.id(); }) == 0) return;
  if (!bind_anew(hive, target)) target.extensions.clear();
  target.is_extended = !target.extensions.empty();
}

std::shared_ptr<const exec::Executable> running(State& hive, ProgObject& program) {
  std::vector<std::uint32_t> links;
  {
    const std::scoped_lock lock(program.extensions_mutex);
    if (program.extensions.empty()) return program.code;
    for (const Extension& extension : program.extensions) links.push_back(extension.link);
  }
  for (const std::uint32_t link : links) hive.objects.get(Kind::Link, link);
  const std::scoped_lock lock(program.extensions_mutex);
  return program.extended != nullptr ? program.extended : program.code;
}

}  // namespace skep::hive
