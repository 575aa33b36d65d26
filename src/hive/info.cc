// BPF_OBJ_GET_INFO_BY_FD. The caller's structure may be shorter or longer than ours; both directions go through it: it
// holds addresses and sizes of arrays to fill, and gets everything else.
#include <algorithm>

#include "hive/request.h"
#include "hive/tag.h"
#include "hive/user_info.h"
#include "jit/jit.h"

namespace skep::hive {
namespace {

// Fills the caller's array of `room` records at `address` with as many of ours as fit; `room` becomes the number there
// are.
template <class Record>
bool give_records(Caller& caller, std::uint64_t address, std::uint32_t& room, std::span<const Record> records) {
  const std::size_t count = std::min<std::size_t>(room, records.size());
  room = static_cast<std::uint32_t>(records.size());
  if (count == 0) return true;
  return address != 0 && caller.copy_out(address, std::as_bytes(records.first(count)));
}

void fill_identity(const ProgObject& program, spec::ProgInfo& info) {
  info.type = std::to_underlying(program.type);
  info.id = program.id();
  std::ranges::copy(program.tag_bytes, info.tag);
  info.load_time = program.load_time;
  info.created_by_uid = program.uid;
  info.gpl_compatible = program.gpl;
  std::ranges::fill(info.name, '\0');
  std::ranges::copy(program.name, info.name);
  info.run_time_ns = program.counters.nanoseconds.load();
  info.run_cnt = program.counters.runs.load();
  info.verified_insns = program.verified_insns;
  info.btf_id = program.btf != nullptr ? program.btf->id() : 0;
  info.ifindex = 0;
  info.netns_dev = info.netns_ino = 0;
  info.recursion_misses = 0;
  const bool of_program = program.target != nullptr && program.target->btf != nullptr;
  info.attach_btf_obj_id = of_program ? program.target->btf->id() : 0;  // the kernel's has no id here
  info.attach_btf_id = program.attach_btf_id;
  info.pad = 0;
}

int fill_code(Request& request, const ProgObject& program, spec::ProgInfo& info) {
  const std::vector<isa::Insn>& insns = program.translated;
  const auto bytes = static_cast<std::uint32_t>(insns.size() * sizeof(isa::Insn));
  const std::uint32_t room = info.xlated_prog_len;
  info.xlated_prog_len = bytes;
  if (room == 0) return 0;
  const Bytes part = std::as_bytes(std::span(insns)).first(std::min(room, bytes));
  return request.caller.copy_out(info.xlated_prog_insns, part) ? 0 : EFAULT;
}

int fill_maps(Request& request, ProgObject& program, spec::ProgInfo& info) {
  std::vector<std::uint32_t> ids;
  {
    const std::scoped_lock lock(program.mutex);
    for (const MapObject* map : program.maps) ids.push_back(map->id());
  }
  return give_records<std::uint32_t>(request.caller, info.map_ids, info.nr_map_ids, ids) ? 0 : EFAULT;
}

// One of the program, or of each function when there are several.
int fill_tags(Request& request, const ProgObject& program, spec::ProgInfo& info) {
  using Tag = std::array<std::uint8_t, 8>;
  std::vector<Tag> tags{program.tag_bytes};
  if (program.starts.size() > 1) tags = tags_of(program.translated, program.starts);
  return give_records<Tag>(request.caller, info.prog_tags, info.nr_prog_tags, tags) ? 0 : EFAULT;
}

// ---- Machine code: the functions' one behind the other; 0 of everything where the program is interpreted.

std::uint64_t address_of(const std::byte* code) noexcept { return reinterpret_cast<std::uintptr_t>(code); }

int fill_machine_code(Caller& caller, std::span<const jit::Function> functions, spec::ProgInfo& info) {
  std::vector<std::byte> all;
  for (const jit::Function& function : functions) all.insert(all.end(), function.code.begin(), function.code.end());
  return give_records<std::byte>(caller, info.jited_prog_insns, info.jited_prog_len, all) ? 0 : EFAULT;
}

int fill_functions(Caller& caller, std::span<const jit::Function> functions, spec::ProgInfo& info) {
  std::vector<std::uint64_t> symbols;
  std::vector<std::uint32_t> lengths;
  for (const jit::Function& function : functions) {
    symbols.push_back(address_of(function.code.data()));
    lengths.push_back(static_cast<std::uint32_t>(function.code.size()));
  }
  return give_records<std::uint64_t>(caller, info.jited_ksyms, info.nr_jited_ksyms, symbols) &&
                 give_records<std::uint32_t>(caller, info.jited_func_lens, info.nr_jited_func_lens, lengths)
             ? 0
             : EFAULT;
}

// Where the code of each line begins: records as line_info has them.
int fill_lines(Caller& caller, const ProgObject& program, bool compiled, spec::ProgInfo& info) {
  std::vector<std::uint64_t> lines;
  if (compiled && info.nr_jited_line_info == 0) {  // only how many there are, for which nothing need be looked up
    info.nr_jited_line_info = static_cast<std::uint32_t>(program.code->image().lines.size());
    return 0;
  }
  if (compiled) {
    const std::vector<const std::byte*> addresses = jit::addresses(*program.code);
    for (const exec::SourceLine& line : program.code->image().lines) lines.push_back(address_of(addresses[line.insn]));
  }
  return give_records<std::uint64_t>(caller, info.jited_line_info, info.nr_jited_line_info, lines) ? 0 : EFAULT;
}

int fill_compiled(Caller& caller, const ProgObject& program, spec::ProgInfo& info) {
  const auto functions = program.code != nullptr ? jit::functions(*program.code) : std::vector<jit::Function>{};
  if (const int error = fill_machine_code(caller, functions, info); error != 0) return error;
  if (const int error = fill_functions(caller, functions, info); error != 0) return error;
  return fill_lines(caller, program, !functions.empty(), info);
}

// What the program is made of.
int fill_contents(Request& request, const ProgObject& program, spec::ProgInfo& info) {
  if (const int error = fill_code(request, program, info); error != 0) return error;
  if (!give_records<spec::FuncInfo>(request.caller, info.func_info, info.nr_func_info, program.funcs) ||
      !give_records<spec::LineInfo>(request.caller, info.line_info, info.nr_line_info, program.lines))
    return EFAULT;
  if (const int error = fill_tags(request, program, info); error != 0) return error;
  return fill_compiled(request.caller, program, info);
}

// The caller says how large his records are, or nothing at all, and is told.
int settle_record_sizes(spec::ProgInfo& info) noexcept {
  const auto settle = [](std::uint32_t count, std::uint32_t& size, std::size_t ours) {
    const bool fits = size == ours || (count == 0 && size == 0);
    size = static_cast<std::uint32_t>(ours);
    return fits;
  };
  return settle(info.nr_func_info, info.func_info_rec_size, sizeof(spec::FuncInfo)) &&
                 settle(info.nr_line_info, info.line_info_rec_size, sizeof(spec::LineInfo)) &&
                 settle(info.nr_jited_line_info, info.jited_line_info_rec_size, sizeof(std::uint64_t))
             ? 0
             : EINVAL;
}

// For callers without CAP_BPF.
void hide_contents(spec::ProgInfo& info) {
  info.jited_prog_len = info.xlated_prog_len = 0;
  info.nr_jited_ksyms = info.nr_jited_func_lens = info.nr_jited_line_info = 0;
  info.nr_func_info = info.nr_line_info = 0;
}

long prog_info(Request& request, ProgObject& program) {
  UserInfo<spec::ProgInfo> user(request);
  spec::ProgInfo info{};
  if (const int error = user.read(info); error != 0) return -error;
  request.hive.count_statistics();
  fill_identity(program, info);
  if (const int error = fill_maps(request, program, info); error != 0) return -error;
  if (const int error = settle_record_sizes(info); error != 0) return -error;
  if (!request.caller.privilege().bpf) {
    hide_contents(info);
  } else if (const int error = fill_contents(request, program, info); error != 0) {
    return -error;
  }
  return -user.write(info);
}

spec::MapInfo info_of(const MapObject& map) {
  spec::MapInfo info{};
  const spec::MapSpec& spec = map.map->spec();
  info.type = std::to_underlying(spec.type);
  info.id = map.id();
  info.key_size = spec.key_size;
  info.value_size = spec.value_size;
  info.max_entries = spec.max_entries;
  info.map_flags = spec.flags;
  info.map_extra = spec.extra;
  std::ranges::copy(spec.name, info.name);
  if (map.btf != nullptr) {
    info.btf_id = map.btf->id();
    info.btf_key_type_id = spec.btf_key_type;
    info.btf_value_type_id = spec.btf_value_type;
  }
  return info;
}

long map_info(Request& request, const MapObject& map) {
  UserInfo<spec::MapInfo> user(request);
  if (const int error = user.check_tail(); error != 0) return -error;
  spec::MapInfo info = info_of(map);
  return -user.write(info);
}

// The name of a BTF of a user is empty, but must fit: a terminated part of it otherwise, and ENOSPC.
long btf_info(Request& request, const BtfObject& btf) {
  UserInfo<spec::BtfInfo> user(request);
  spec::BtfInfo info{};
  if (const int error = user.read(info); error != 0) return -error;
  const Bytes data = btf.types.bytes();
  info.id = btf.id();
  const auto part = data.first(std::min<std::size_t>(info.btf_size, data.size()));
  if (!request.caller.copy_out(info.btf, part)) return -EFAULT;
  info.btf_size = static_cast<std::uint32_t>(data.size());
  info.kernel_btf = 0;
  const std::uint32_t room = std::exchange(info.name_len, 0);
  if ((info.name != 0) != (room != 0)) return -EINVAL;
  if (room != 0 && !copy_out(request, info.name, '\0')) return -EFAULT;
  return -user.write(info);
}

}  // namespace

long obj_get_info_by_fd(Request& request) {
  const auto fd = static_cast<int>(request.attr.info.bpf_fd);
  const Found<MapObject> map = find_map(request.hive, request.caller, fd);
  if (map.object) return map_info(request, *map.object);
  if (map.error == EBADF) return -EBADFD;  // this command alone says so
  if (const Found<ProgObject> prog = find_prog(request.hive, request.caller, fd); prog.object)
    return prog_info(request, *prog.object);
  if (const Found<BtfObject> btf = find_btf(request.hive, request.caller, fd); btf.object)
    return btf_info(request, *btf.object);
  if (const Found<LinkObject> link = find_link(request.hive, request.caller, fd); link.object)
    return link_info(request, *link.object);
  return -EINVAL;
}

std::size_t Hive::list_maps(std::uint32_t after, std::span<ListedMap> to) const {
  std::size_t count = 0;
  while (count < to.size() && (after = state_->objects.next(Kind::Map, after)) != 0) {
    const Ref<Object> object = state_->objects.find(Kind::Map, after);
    if (!object) continue;  // gone meanwhile
    const auto& map = static_cast<const MapObject&>(*object);
    to[count++] = {.info = info_of(map),
                   .memory_bytes = map.map->memory_bytes(),
                   .is_frozen = map.map->frozen() ? 1U : 0,
                   .reserved = 0};
  }
  return count;
}

}  // namespace skep::hive
