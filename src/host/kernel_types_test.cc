// The types that stand in for a kernel's: each function and structure as the running kernel has it, as far as it goes.
#include "host/kernel_types.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "btf/btf.h"

namespace skep::host {
namespace {

std::optional<btf::Btf> running_kernel() {
  std::ifstream file("/sys/kernel/btf/vmlinux", std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  auto parsed = btf::Btf::parse(std::as_bytes(std::span(bytes)), nullptr, {.attribute_tags = true});
  return parsed ? std::optional(*std::move(parsed)) : std::nullopt;
}

btf::Btf ours() {
  auto parsed = btf::Btf::parse(kernel_types());
  EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().message);
  return *std::move(parsed);
}

// What a value of the type is, by its names: "pointer to struct bpf_map".
std::string described(const btf::Btf& types, std::uint32_t id) {
  const btf::Type type = types.type(types.resolve(id));
  if (type.id() == 0) return "void";
  if (type.kind() == btf::Kind::Ptr) return "pointer to " + described(types, type.type());
  if (btf::is_composite(type.kind())) return "struct " + std::string(type.name());
  return std::to_string(types.size_of(type.id()).value_or(0)) + " bytes";
}

std::string prototype(const btf::Btf& types, std::uint32_t function) {
  const btf::Type proto = types.type(types.type(function).type());
  std::string text = described(types, proto.type()) + " (";
  for (std::uint32_t i = 0; i < proto.vlen(); ++i)
    text += described(types, proto.param(i).type) + " " + std::string(proto.param(i).name) + ", ";
  return text + ")";
}

// Neither an array, whose length is its own, nor a structure.
bool has_plain_type(const btf::Btf& types, const btf::Member& member) {
  const btf::Kind kind = types.type(types.resolve(member.type)).kind();
  return kind != btf::Kind::Array && !btf::is_composite(kind);
}

TEST(KernelTypes, FunctionsAreTheKernels) {
  const std::optional<btf::Btf> theirs = running_kernel();
  if (!theirs) GTEST_SKIP() << "no /sys/kernel/btf/vmlinux";
  const btf::Btf types = ours();
  unsigned compared = 0;
  for (std::uint32_t id = 1; id <= types.count(); ++id) {
    const btf::Type type = types.type(id);
    if (type.kind() != btf::Kind::Func || !type.name().starts_with("bpf_")) continue;
    const auto other = theirs->find(type.name(), btf::Kind::Func);
    if (!other) continue;  // an older kernel's
    EXPECT_EQ(prototype(types, id), prototype(*theirs, *other)) << type.name();
    ++compared;
  }
  EXPECT_GT(compared, 10U);
}

TEST(KernelTypes, MembersOfWhatIteratorsShowAreTheKernels) {
  const std::optional<btf::Btf> theirs = running_kernel();
  if (!theirs) GTEST_SKIP() << "no /sys/kernel/btf/vmlinux";
  const btf::Btf types = ours();
  for (const char* name : {"seq_file", "bpf_iter_meta", "bpf_map", "bpf_array", "bpf_htab", "bpf_prog", "bpf_prog_aux",
                           "bpf_link", "kallsym_iter", "bpf_iter__bpf_map_elem"}) {
    const auto here = types.find(name, btf::Kind::Struct), there = theirs->find(name, btf::Kind::Struct);
    ASSERT_TRUE(here && there) << name;
    const btf::Type type = types.type(*here);
    for (std::uint32_t i = 0; i < type.vlen(); ++i) {
      const btf::Member member = type.member(i);
      if (member.name.empty()) continue;
      const auto other = theirs->find_member(*there, member.name);
      ASSERT_TRUE(other) << name << "::" << member.name;
      if (member.bits != 0 || other->bits != 0 || !has_plain_type(types, member)) continue;
      EXPECT_EQ(described(types, member.type), described(*theirs, other->type)) << name << "::" << member.name;
    }
  }
}

TEST(KernelTypes, HaveWhatProgramsAreGiven) {
  const btf::Btf types = ours();
  for (const char* name : {"xdp_md", "__sk_buff", "bpf_sock_addr", "bpf_iter__ksym", "ethhdr", "iphdr", "ipv6hdr",
                           "tcphdr", "udphdr", "bpf_iter_num", "bpf_dynptr"})
    EXPECT_TRUE(types.find(name, btf::Kind::Struct)) << name;
}

}  // namespace
}  // namespace skep::host
