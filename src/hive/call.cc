// The table of commands, and what happens before one of them: sizes, copying.
#include <algorithm>
#include <cerrno>

#include "base/descriptor_limit.h"
#include "hive/request.h"

namespace skep::hive {
namespace {

using Function = long (*)(Request&);

constexpr struct Row {
  spec::Command command;
  Function run;
} kRows[] = {
    {spec::Command::MapCreate, map_create},
    {spec::Command::MapLookupElem, map_lookup_elem},
    {spec::Command::MapUpdateElem, map_update_elem},
    {spec::Command::MapDeleteElem, map_delete_elem},
    {spec::Command::MapGetNextKey, map_get_next_key},
    {spec::Command::ProgLoad, prog_load},
    {spec::Command::ObjPin, obj_pin},
    {spec::Command::ObjGet, obj_get},
    {spec::Command::ProgAttach, prog_attach},
    {spec::Command::ProgDetach, prog_detach},
    {spec::Command::ProgTestRun, prog_test_run},
    {spec::Command::ProgGetNextId, prog_get_next_id},
    {spec::Command::MapGetNextId, map_get_next_id},
    {spec::Command::ProgGetFdById, prog_get_fd_by_id},
    {spec::Command::MapGetFdById, map_get_fd_by_id},
    {spec::Command::ObjGetInfoByFd, obj_get_info_by_fd},
    {spec::Command::ProgQuery, prog_query},
    {spec::Command::RawTracepointOpen, raw_tracepoint_open},
    {spec::Command::BtfLoad, btf_load},
    {spec::Command::BtfGetFdById, btf_get_fd_by_id},
    {spec::Command::TaskFdQuery, task_fd_query},
    {spec::Command::MapLookupAndDeleteElem, map_lookup_and_delete_elem},
    {spec::Command::MapFreeze, map_freeze},
    {spec::Command::BtfGetNextId, btf_get_next_id},
    {spec::Command::MapLookupBatch, map_lookup_batch},
    {spec::Command::MapLookupAndDeleteBatch, map_lookup_and_delete_batch},
    {spec::Command::MapUpdateBatch, map_update_batch},
    {spec::Command::MapDeleteBatch, map_delete_batch},
    {spec::Command::LinkCreate, link_create},
    {spec::Command::LinkUpdate, link_update},
    {spec::Command::LinkGetFdById, link_get_fd_by_id},
    {spec::Command::LinkGetNextId, link_get_next_id},
    {spec::Command::EnableStats, enable_stats},
    {spec::Command::IterCreate, iter_create},
    {spec::Command::LinkDetach, link_detach},
    {spec::Command::ProgBindMap, prog_bind_map},
    {spec::Command::TokenCreate, token_create},
};

constexpr bool in_order() {
  std::size_t count = 0;
#define COMMAND(id, Name, ...) \
  if (count >= std::size(kRows) || kRows[count++].command != spec::Command::Name) return false;
#include "spec/commands.def"
#undef COMMAND
  return count == std::size(kRows);
}
static_assert(in_order(), "one row per command of spec/commands.def, in its order");

// Looks at all objects, because those that nobody has any more keep their descriptors until somebody looks: whether
// there were such.
bool clear_away(Objects& objects) {
  const ReservedDescriptors to_look_with;
  bool found = false;
  for (const Kind kind : {Kind::Link, Kind::Prog, Kind::Map, Kind::Btf}) {
    const std::size_t before = objects.count(kind);
    for (std::uint32_t id = 0; (id = objects.next(kind, id)) != 0;) {
    }
    found |= objects.count(kind) < before;
  }
  return found;
}

}  // namespace

long Hive::call(Caller& caller, int cmd, std::uint64_t attr, std::uint32_t size) noexcept {
  return hive::call(*state_, caller, cmd, attr, size);
}

long call(State& hive, Caller& caller, int cmd, std::uint64_t attr, std::uint32_t size) noexcept {
  refuse(0, {});
  if (const int error = check_tail(caller, attr, size, sizeof(spec::Attr)); error != 0) return -error;
  Request request{.hive = hive, .caller = caller, .attr = {}, .attr_address = attr, .attr_bytes = size};
  const MutableBytes ours = std::as_writable_bytes(std::span(&request.attr, 1));
  if (!caller.copy_in(attr, ours.first(std::min<std::size_t>(size, ours.size())))) return -EFAULT;
  const spec::CommandInfo* info = spec::find_command(static_cast<std::uint32_t>(cmd));
  if (info == nullptr) return -EINVAL;
  if (!spec::known_fields_only(info->command, request.attr))
    return refuse(EINVAL, std::string(info->name) + ": bytes behind the last attribute are not zero");
  const Function run = kRows[static_cast<std::size_t>(info->command)].run;
  const long result = run(request);
  return result == -EMFILE && clear_away(hive.objects) ? run(request) : result;
}

}  // namespace skep::hive
