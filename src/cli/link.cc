// skep link: what programs are attached by.
#include <fmt/format.h>
#include <net/if.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

#include "cli/object_request.h"
#include "cli/table.h"
#include "spec/info.h"
#include "spec/types.h"

namespace skep::cli {
namespace {

using Json = nlohmann::ordered_json;
using spec::LinkType;

struct LiveLink {
  spec::LinkInfo info{};
  std::string target;  // of an iterator what it goes over, of a raw tracepoint its name
  LinkType type() const { return static_cast<LinkType>(info.type); }
};

// The kernel reads the address of a text only from links that have one, at the place that their type says.
Expected<LiveLink> look_at_link(const BpfCall& bpf, int fd) {
  LiveLink link;
  if (const long error = get_info(bpf, fd, link.info); error < 0)
    return std::unexpected(unavailable("this is no link", error));
  std::array<char, 256> text{};
  spec::LinkInfo ask{};
  const auto room = static_cast<std::uint32_t>(text.size());
  if (link.type() == LinkType::Iter) {
    ask.iter.target_name = address(text.data());
    ask.iter.target_name_len = room;
  } else if (link.type() == LinkType::RawTracepoint) {
    ask.raw_tracepoint = {.tp_name = address(text.data()), .tp_name_len = room, .pad = 0};
  } else {
    return link;
  }
  if (const long error = get_info(bpf, fd, ask); error < 0 && error != -ENOSPC)
    return std::unexpected(unavailable("the link's target cannot be read", error));
  link.target = text_in(reinterpret_cast<const char(&)[256]>(*text.data()));
  return link;
}

std::string attach_name(std::uint32_t number) {
  const auto type = spec::attach_type(number);
  return type ? std::string(spec::name(*type)) : std::to_string(number);
}

std::string interface_name(std::uint32_t index) {
  std::array<char, IF_NAMESIZE> name{};
  return ::if_indextoname(index, name.data()) != nullptr ? std::string(name.data()) : std::to_string(index);
}

// What it is attached to, in bpftool's words.
Json place_of(const LiveLink& link) {
  const spec::LinkInfo& info = link.info;
  switch (link.type()) {
    case LinkType::RawTracepoint: return {{"tp_name", link.target}};
    case LinkType::Tracing:
      return {{"attach_type", attach_name(info.tracing.attach_type)},
              {"target_obj_id", info.tracing.target_obj_id},
              {"target_btf_id", info.tracing.target_btf_id}};
    case LinkType::Cgroup:
      return {{"cgroup_id", info.cgroup.cgroup_id}, {"attach_type", attach_name(info.cgroup.attach_type)}};
    case LinkType::Iter: {
      Json out = {{"target_name", link.target}};
      if (info.iter.map_id != 0) out["map_id"] = info.iter.map_id;
      return out;
    }
    case LinkType::Netns:
      return {{"netns_ino", info.netns.netns_ino}, {"attach_type", attach_name(info.netns.attach_type)}};
    case LinkType::Xdp: return {{"devname", interface_name(info.xdp.ifindex)}, {"ifindex", info.xdp.ifindex}};
    case LinkType::Tcx:
    case LinkType::Netkit:
      return {{"devname", interface_name(info.tcx.ifindex)},
              {"ifindex", info.tcx.ifindex},
              {"attach_type", attach_name(info.tcx.attach_type)}};
    case LinkType::StructOps: return {{"map_id", info.struct_ops.map_id}};
    case LinkType::Sockmap:
      return {{"map_id", info.sockmap.map_id}, {"attach_type", attach_name(info.sockmap.attach_type)}};
    case LinkType::Netfilter:
      return {{"pf", info.netfilter.pf},
              {"hook", info.netfilter.hooknum},
              {"prio", info.netfilter.priority},
              {"flags", info.netfilter.flags}};
    case LinkType::KprobeMulti: return {{"func_cnt", info.kprobe_multi.count}, {"flags", info.kprobe_multi.flags}};
    case LinkType::UprobeMulti:
      return {
          {"func_cnt", info.uprobe_multi.count}, {"flags", info.uprobe_multi.flags}, {"pid", info.uprobe_multi.pid}};
    case LinkType::PerfEvent:
    case LinkType::Unspec: break;
  }
  return Json::object();
}

Json describe(const LiveLink& link) {
  Json out = {{"id", link.info.id}, {"type", spec::name(link.type())}, {"prog_id", link.info.prog_id}};
  out.update(place_of(link));
  return out;
}

std::string program_name(const BpfCall& bpf, std::uint32_t id) {
  spec::ProgInfo info{};
  const auto fd = object_by_id(bpf, ObjectKind::Program, id);
  return fd && get_info(bpf, fd->get(), info) >= 0 ? text_in(info.name) : "";
}

std::string place_text(const LiveLink& link) {
  std::string text;
  const Json place = place_of(link);
  for (const auto& [what, value] : place.items())
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", what,
                        value.is_string() ? value.get<std::string>() : value.dump());
  return text;
}

Expected<> list(ObjectRequest& request) {
  const auto bpf = request.bpf();
  if (!bpf) return std::unexpected(bpf.error());
  const auto links = look_at_objects(request, *bpf, ObjectKind::Link, look_at_link);
  if (!links) return std::unexpected(links.error());
  Json described = Json::array();
  Table table({"id", "type", "program", "name", "attached to"});
  for (const LiveLink& link : *links) {
    described.push_back(describe(link));
    table.add({std::to_string(link.info.id), std::string(spec::name(link.type())), std::to_string(link.info.prog_id),
               program_name(*bpf, link.info.prog_id), place_text(link)});
  }
  if (request.json) return print_json(request.words.empty() ? described : described[0]), Expected<>{};
  fmt::print("{}", links->empty() ? "no links\n" : table.text());
  return {};
}

Expected<> detach(ObjectRequest& request) {
  const auto bpf = request.bpf();
  if (!bpf) return std::unexpected(bpf.error());
  const auto fd = request.open(*bpf, ObjectKind::Link);
  if (!fd) return std::unexpected(fd.error());
  spec::Attr attr{};
  attr.link_detach.link_fd = static_cast<std::uint32_t>(fd->get());
  const int code = static_cast<int>(-call(*bpf, spec::Command::LinkDetach, attr));
  if (code <= 0) return {};
  const auto link = look_at_link(*bpf, fd->get());
  if (code == EOPNOTSUPP && link) {
    return give_up(
        Exit::Refused,
        fmt::format("link {} is of type {}, which cannot be detached: it ends when nobody holds it any more; "
                    "if it is pinned, remove that: skep pin rm PATH",
                    link->info.id, spec::name(link->type())));
  }
  return give_up(Exit::Refused, fmt::format("the link is not detached: {}", std::strerror(code)));
}

Expected<> pin(ObjectRequest& request) { return request.pin(ObjectKind::Link); }

}  // namespace

void declare_link(Program& program) {
  CLI::App* app = program.app.add_subcommand("link", "Look at links, what programs are attached by, and end them");
  app->require_subcommand(1);
  app->footer("A link is named by N or id N, by /PATH or pinned PATH. Hives have links of iterators.");
  CommandGroup group{.program = program, .app = *app};
  declare_object_command<ObjectRequest>(group, "list", "List all links, or show one", {"[LINK]"}, list);
  declare_object_command<ObjectRequest>(group, "show", "Show what a link is, or list all", {"[LINK]"}, list);
  declare_object_command<ObjectRequest>(group, "detach", "Detach a link's program; the link stays", {"LINK"}, detach);
  declare_object_command<ObjectRequest>(group, "pin", "Keep a link under a path", {"LINK", "PATH"}, pin);
}

}  // namespace skep::cli
