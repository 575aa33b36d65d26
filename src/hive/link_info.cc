// BPF_OBJ_GET_INFO_BY_FD of links.
#include <string_view>

#include "hive/iterator.h"
#include "hive/user_info.h"

namespace skep::hive {
namespace {

// A text with its NUL for the caller's `room` bytes at `address`, which becomes the bytes there are: 0; EINVAL for one
// without the other; EFAULT; ENOSPC when only a part fits, which is given.
int give_text(Caller& caller, std::uint64_t address, std::uint32_t& room, std::string_view text) noexcept {
  const std::uint32_t given = room;
  if ((address != 0) != (given != 0)) return EINVAL;
  room = static_cast<std::uint32_t>(text.size() + 1);
  if (given == 0) return 0;
  const std::string_view part = text.substr(0, given - 1);
  constexpr std::byte kEnd{0};
  if (!caller.copy_out(address, std::as_bytes(std::span(part))) || !caller.copy_out(address + part.size(), {&kEnd, 1}))
    return EFAULT;
  return part.size() < text.size() ? ENOSPC : 0;
}

}  // namespace

long link_info(Request& request, const LinkObject& link) {
  UserInfo<spec::LinkInfo> user(request);
  spec::LinkInfo info{};
  if (const int error = user.read(info); error != 0) return -error;
  info.type = std::to_underlying(link.type);
  info.id = link.id();
  info.prog_id = link.program()->id();
  if (link.target != nullptr) {
    info.tracing = {.attach_type = 0, .target_obj_id = link.target->id(), .target_btf_id = link.btf_id};
    return -user.write(info);
  }
  if (link.map != nullptr) info.iter.map_id = link.map->id();
  const std::string_view name = link.iterator->name;
  if (const int error = give_text(request.caller, info.iter.target_name, info.iter.target_name_len, name); error != 0)
    return -error;
  return -user.write(info);
}

}  // namespace skep::hive
