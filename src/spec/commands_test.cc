#include "spec/commands.h"

#include <gtest/gtest.h>

#include <cstring>

#include "btf/testing_kernel.h"

namespace skep::spec {
namespace {

TEST(Commands, RowsAreAtTheirNumbers) {
  for (std::uint32_t number = 0; number <= 36; ++number) {
    const CommandInfo* row = find_command(number);
    ASSERT_NE(row, nullptr) << number;
    EXPECT_EQ(static_cast<std::uint32_t>(row->command), number) << row->name;
    EXPECT_LE(row->attr_bytes, sizeof(Attr)) << row->name;
  }
  EXPECT_EQ(find_command(37), nullptr);
}

TEST(Commands, BytesBehindTheLastFieldMustBeZero) {
  Attr attr{};
  attr.elem.flags = 7;
  EXPECT_TRUE(known_fields_only(Command::MapLookupElem, attr));
  EXPECT_FALSE(known_fields_only(Command::MapDeleteElem, attr));
  EXPECT_FALSE(known_fields_only(Command::MapFreeze, attr));
}

// Commands that look for a descriptor after the size rule: a bad one shows which of the two comes first.
Attr with_bad_descriptor(Command command) {
  Attr attr{};
  switch (command) {
    case Command::ObjGetInfoByFd: attr.info.bpf_fd = ~0U; break;
    case Command::MapLookupBatch:
    case Command::MapUpdateBatch:
    case Command::MapDeleteBatch: attr.batch.map_fd = ~0U; break;
    default: std::memset(&attr, 0xff, 4); break;  // the first field
  }
  return attr;
}

TEST(Commands, TheKernelAgreesOnTheLastField) {
  SKEP_NEEDS_KERNEL_BPF();
  for (const Command command :
       {Command::MapLookupElem, Command::MapUpdateElem, Command::MapDeleteElem, Command::MapGetNextKey,
        Command::ProgTestRun, Command::ObjGetInfoByFd, Command::MapLookupAndDeleteElem, Command::MapFreeze,
        Command::MapLookupBatch, Command::MapUpdateBatch, Command::MapDeleteBatch, Command::LinkUpdate,
        Command::LinkDetach, Command::IterCreate, Command::ProgBindMap}) {
    const std::uint32_t number = static_cast<std::uint32_t>(command);
    Attr attr = with_bad_descriptor(command);
    const int bad = command == Command::ObjGetInfoByFd ? EBADFD : EBADF;
    EXPECT_EQ(btf::testing::kernel_bpf(number, &attr, sizeof attr), -bad) << info(command).name;
    std::memset(reinterpret_cast<char*>(&attr) + info(command).attr_bytes, 1, 1);
    EXPECT_EQ(btf::testing::kernel_bpf(number, &attr, sizeof attr), -EINVAL) << info(command).name;
    EXPECT_FALSE(known_fields_only(command, attr)) << info(command).name;
  }
}

}  // namespace
}  // namespace skep::spec
