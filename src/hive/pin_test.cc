// BPF_OBJ_PIN and BPF_OBJ_GET, on a hive and on the running kernel: the same errno for the same mistake, and files that
// may be renamed, moved and removed as files are.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "hive/testing.h"

namespace skep::hive::testing {
namespace {

using spec::Command;

constexpr std::uint32_t kPathFd = spec::kPathFd;

// A folder of this test's own in /sys/fs/bpf: its name for bpf(2), and the real folder.
class Folder {
 public:
  explicit Folder(Bpf& bpf)
      : name("/sys/fs/bpf/skep-test-" + std::to_string(::getpid())), real(bpf.bpffs() + name.substr(11)) {
    ::mkdir(real.c_str(), 0700);
  }
  ~Folder() {
    for (const char* left : {"a", "b", "sub/a", "link"}) ::unlink((real + "/" + left).c_str());
    ::rmdir((real + "/sub").c_str());
    ::rmdir(real.c_str());
  }
  const std::string name, real;
};

spec::Attr pin_attr(const std::string& path, long fd = 0, std::uint32_t flags = 0, int from = 0) {
  spec::Attr attr{};
  attr.obj = {.pathname = address(path.c_str()),
              .bpf_fd = static_cast<std::uint32_t>(fd),
              .file_flags = flags,
              .path_fd = from,
              .pad = 0};
  return attr;
}
long pin(Bpf& bpf, long fd, const std::string& path, std::uint32_t flags = 0, int from = 0) {
  spec::Attr attr = pin_attr(path, fd, flags, from);
  return bpf(Command::ObjPin, attr);
}
long get(Bpf& bpf, const std::string& path, std::uint32_t flags = 0, int from = 0) {
  spec::Attr attr = pin_attr(path, 0, flags, from);
  return bpf(Command::ObjGet, attr);
}

bool kernel_has_bpffs() {
  struct statfs system{};
  return KernelBpf::here() && ::statfs("/sys/fs/bpf", &system) == 0 && system.f_type == 0xcafe4a11 &&
         ::access("/sys/fs/bpf", W_OK) == 0;
}

// Every case with a map and a folder of its own.
struct PinCase {
  const char* name;
  long expected;
  std::function<long(Bpf&, Fds&, const Folder&, long map)> call;
};
void judge_pins(const std::vector<PinCase>& cases) {
  const auto check = [&](Bpf& bpf, const char* who) {
    for (const PinCase& test : cases) {
      Fds fds;
      const long map = fds.keep(create_map(bpf, {.name = "pinned"}));
      const Folder folder(bpf);
      const long result = test.call(bpf, fds, folder, map);
      if (result > 0) fds.keep(result);
      EXPECT_EQ(result > 0 && test.expected == 0 ? 0 : result, test.expected)
          << test.name << ", asked of " << who << ": " << Hive::last_error();
    }
  };
  HiveBpf hive;
  check(hive, "the hive");
  KernelBpf kernel;
  if (kernel_has_bpffs()) check(kernel, "the running kernel");
}

TEST(Pin, WhatCanBePinned) {
  judge_pins({
      {"a map", 0, [](Bpf& b, Fds&, const Folder& f, long map) { return pin(b, map, f.name + "/a"); }},
      {"a program", 0,
       [](Bpf& b, Fds& fds, const Folder& f, long) {
         return pin(b, fds.keep(load_prog(b, spec::ProgType::Xdp, return_value(2))), f.name + "/a");
       }},
      {"a file", -EINVAL,
       [](Bpf& b, Fds& fds, const Folder& f, long) {
         return pin(b, fds.keep(::open("/dev/null", O_RDONLY)), f.name + "/a");
       }},
      {"nothing", -EINVAL, [](Bpf& b, Fds&, const Folder& f, long) { return pin(b, kNoFd, f.name + "/a"); }},
      {"a map by another path", 0,
       [](Bpf& b, Fds&, const Folder& f, long map) {
         return pin(b, map, "//sys/./fs/bpf/../bpf" + f.name.substr(11) + "//a");
       }},
      {"a map twice", 0,
       [](Bpf& b, Fds&, const Folder& f, long map) { return pin(b, map, f.name + "/a") | pin(b, map, f.name + "/b"); }},
  });
}

TEST(Pin, WhereItCanBePinned) {
  const auto at = [](const char* name, long expected, const char* where) {
    return PinCase{name, expected, [where](Bpf& b, Fds&, const Folder&, long map) { return pin(b, map, where); }};
  };
  judge_pins({
      at("outside", -EPERM, "/tmp/skep-no-pin"),
      at("in a folder that is not there", -ENOENT, "/tmp/skep/no/such"),
      at("on a file outside", -EEXIST, "/dev/null"),
      at("under a file", -ENOTDIR, "/dev/null/x"),
      at("the root", -EEXIST, "/"),
      {"the folder", -EEXIST, [](Bpf& b, Fds&, const Folder& f, long map) { return pin(b, map, f.name); }},
      {"the folder with a slash", -EEXIST,
       [](Bpf& b, Fds&, const Folder& f, long map) { return pin(b, map, f.name + "/"); }},
      {"the folder's dot", -EEXIST, [](Bpf& b, Fds&, const Folder& f, long map) { return pin(b, map, f.name + "/."); }},
      {"a dotted name", -EPERM, [](Bpf& b, Fds&, const Folder& f, long map) { return pin(b, map, f.name + "/.x"); }},
      {"a name with a dot", -EPERM,
       [](Bpf& b, Fds&, const Folder& f, long map) { return pin(b, map, f.name + "/a.b"); }},
      {"in a folder with a dot", -EPERM,
       [](Bpf& b, Fds&, const Folder& f, long map) { return pin(b, map, f.name + "/a.b/c"); }},
      {"a folder of its own", -ENOENT,
       [](Bpf& b, Fds&, const Folder& f, long map) { return pin(b, map, f.name + "/none/a"); }},
      {"with a slash", -ENOENT, [](Bpf& b, Fds&, const Folder& f, long map) { return pin(b, map, f.name + "/a/"); }},
      {"on a pin", -EEXIST,
       [](Bpf& b, Fds&, const Folder& f, long map) {
         return pin(b, map, f.name + "/a") != 0 ? 1 : pin(b, map, f.name + "/a");
       }},
      {"under a pin", -ENOTDIR,
       [](Bpf& b, Fds&, const Folder& f, long map) {
         return pin(b, map, f.name + "/a") != 0 ? 1 : pin(b, map, f.name + "/a/b");
       }},
      {"an empty path", -ENOENT, [](Bpf& b, Fds&, const Folder&, long map) { return pin(b, map, ""); }},
      {"a long path", -ENAMETOOLONG,
       [](Bpf& b, Fds&, const Folder& f, long map) { return pin(b, map, f.name + "/" + std::string(5000, 'x')); }},
      {"a long name", -ENAMETOOLONG,
       [](Bpf& b, Fds&, const Folder& f, long map) { return pin(b, map, f.name + "/" + std::string(256, 'x')); }},
      {"no path", -EFAULT,
       [](Bpf& b, Fds&, const Folder&, long map) {
         spec::Attr attr = pin_attr("", map);
         attr.obj.pathname = 16;
         return b(Command::ObjPin, attr);
       }},
  });
}

TEST(Pin, Flags) {
  const auto folder_fd = [](Fds& fds, const Folder& f) {
    return static_cast<int>(fds.keep(::open(f.real.c_str(), O_PATH | O_DIRECTORY)));
  };
  judge_pins({
      {"unknown ones", -EINVAL,
       [](Bpf& b, Fds&, const Folder& f, long map) { return pin(b, map, f.name + "/a", spec::kRdonly); }},
      {"a folder's descriptor without the flag", -EINVAL,
       [=](Bpf& b, Fds& fds, const Folder& f, long map) { return pin(b, map, "a", 0, folder_fd(fds, f)); }},
      {"a folder's descriptor", 0,
       [=](Bpf& b, Fds& fds, const Folder& f, long map) { return pin(b, map, "a", kPathFd, folder_fd(fds, f)); }},
      {"and a dot", -EPERM,
       [=](Bpf& b, Fds& fds, const Folder& f, long map) { return pin(b, map, "a.b", kPathFd, folder_fd(fds, f)); }},
      {"and back again", 0,
       [=](Bpf& b, Fds& fds, const Folder& f, long map) {
         const int from = folder_fd(fds, f);
         return pin(b, map, "a", kPathFd, from) != 0 ? -1 : get(b, "a", kPathFd, from);
       }},
      {"no descriptor", -EBADF, [](Bpf& b, Fds&, const Folder&, long map) { return pin(b, map, "a", kPathFd, kNoFd); }},
      {"no folder's descriptor", -ENOTDIR,
       [](Bpf& b, Fds&, const Folder&, long map) { return pin(b, map, "a", kPathFd, static_cast<int>(map)); }},
      {"the folder one is in, which is no bpf file system", -EPERM,
       [](Bpf& b, Fds&, const Folder&, long map) { return pin(b, map, "skep-no-pin"); }},
      {"an absolute path and no descriptor", 0,
       [](Bpf& b, Fds&, const Folder& f, long map) { return pin(b, map, f.name + "/a", kPathFd, kNoFd); }},
      {"bytes behind", -EINVAL,
       [](Bpf& b, Fds&, const Folder& f, long map) {
         spec::Attr attr = pin_attr(f.name + "/a", map);
         attr.obj.pad = 1;
         return b.call(static_cast<int>(Command::ObjPin), &attr, sizeof attr.obj);
       }},
      {"get: unknown ones", -EINVAL, [](Bpf& b, Fds&, const Folder& f, long) { return get(b, f.name, 1); }},
      {"get: two that exclude each other", -EINVAL,
       [](Bpf& b, Fds&, const Folder& f, long) { return get(b, f.name, spec::kRdonly | spec::kWronly); }},
      {"get: a folder", -EACCES, [](Bpf& b, Fds&, const Folder& f, long) { return get(b, f.name); }},
      {"get: a file outside", -EACCES, [](Bpf& b, Fds&, const Folder&, long) { return get(b, "/etc/passwd"); }},
      {"get: nothing", -ENOENT, [](Bpf& b, Fds&, const Folder& f, long) { return get(b, f.name + "/a"); }},
      {"get: a name with a dot", -EPERM, [](Bpf& b, Fds&, const Folder& f, long) { return get(b, f.name + "/a.b"); }},
      {"get: an empty path", -ENOENT, [](Bpf& b, Fds&, const Folder&, long) { return get(b, ""); }},
      {"get: with a slash", -ENOTDIR,
       [](Bpf& b, Fds&, const Folder& f, long map) {
         return pin(b, map, f.name + "/a") != 0 ? 1 : get(b, f.name + "/a/");
       }},
  });
}

TEST(Pin, TheAccessOfAMap) {
  const auto access = [](std::uint32_t flags, bool is_read) {
    return [=](Bpf& b, Fds& fds, const Folder& f, long map) {
      if (pin(b, map, f.name + "/a") != 0) return 1L;
      const long fd = fds.keep(get(b, f.name + "/a", flags));
      std::uint32_t key = 0;
      std::uint64_t value = 0;
      spec::Attr attr = elem_attr(fd, &key, &value);
      return b(is_read ? Command::MapLookupElem : Command::MapUpdateElem, attr);
    };
  };
  judge_pins({
      {"both: reads", 0, access(0, true)},
      {"both: writes", 0, access(0, false)},
      {"for reading: reads", 0, access(spec::kRdonly, true)},
      {"for reading: writes", -EPERM, access(spec::kRdonly, false)},
      {"for writing: reads", -EPERM, access(spec::kWronly, true)},
      {"for writing: writes", 0, access(spec::kWronly, false)},
      {"a program for writing", 0,
       [](Bpf& b, Fds& fds, const Folder& f, long) {
         const long prog = fds.keep(load_prog(b, spec::ProgType::Xdp, return_value(2)));
         return pin(b, prog, f.name + "/a") != 0 ? 1 : get(b, f.name + "/a", spec::kWronly);
       }},
  });
}

TEST(Pin, TheFilesAreFiles) {
  judge_pins({
      {"renamed", 0,
       [](Bpf& b, Fds&, const Folder& f, long map) {
         if (pin(b, map, f.name + "/a") != 0 || ::rename((f.real + "/a").c_str(), (f.real + "/b").c_str()) != 0)
           return 1L;
         return get(b, f.name + "/a") != -ENOENT ? 1L : get(b, f.name + "/b");
       }},
      {"moved to a folder", 0,
       [](Bpf& b, Fds&, const Folder& f, long map) {
         if (::mkdir((f.real + "/sub").c_str(), 0700) != 0 || pin(b, map, f.name + "/a") != 0) return 1L;
         if (::rename((f.real + "/a").c_str(), (f.real + "/sub/a").c_str()) != 0) return 1L;
         return get(b, f.name + "/sub/a");
       }},
      {"removed", -ENOENT,
       [](Bpf& b, Fds&, const Folder& f, long map) {
         if (pin(b, map, f.name + "/a") != 0 || ::unlink((f.real + "/a").c_str()) != 0) return 1L;
         return get(b, f.name + "/a");
       }},
      {"by a symbolic link", 0,
       [](Bpf& b, Fds&, const Folder& f, long map) {
         if (pin(b, map, f.name + "/a") != 0 || ::symlink("a", (f.real + "/link").c_str()) != 0) return 1L;
         return get(b, f.name + "/link");
       }},
      {"as they look", 0,
       [](Bpf& b, Fds&, const Folder& f, long map) {
         if (pin(b, map, f.name + "/a") != 0) return 1L;
         struct stat status{};
         if (::lstat((f.real + "/a").c_str(), &status) != 0) return 2L;
         return status.st_mode == (S_IFREG | 0600) && status.st_size == 0 && status.st_nlink == 1 ? 0L : -1L;
       }},
  });
}

// Ids say whether an object lives.
long first_map(Bpf& bpf) {
  spec::Attr attr{};
  return bpf(Command::MapGetNextId, attr) == 0 ? static_cast<long>(attr.id.next_id) : 0;
}

TEST(Pin, KeepsItsObject) {
  HiveBpf bpf;
  const Folder folder(bpf);
  long map = create_map(bpf, {.name = "kept"});
  ASSERT_EQ(update(bpf, map, std::uint32_t{1}, std::uint64_t{7}), 0);
  ASSERT_EQ(pin(bpf, map, folder.name + "/a"), 0);
  ASSERT_EQ(pin(bpf, map, folder.name + "/b"), 0);
  ::close(static_cast<int>(map));
  EXPECT_NE(first_map(bpf), 0);
  map = get(bpf, folder.name + "/a");
  ASSERT_GE(map, 0);
  EXPECT_EQ(lookup<std::uint64_t>(bpf, map, std::uint32_t{1}), 7);
  ::close(static_cast<int>(map));
  ::unlink((folder.real + "/a").c_str());
  EXPECT_NE(first_map(bpf), 0);
  ::unlink((folder.real + "/b").c_str());
  EXPECT_EQ(first_map(bpf), 0);
}

TEST(Pin, AProgramArrayKeepsItsProgramsWhileItIsPinned) {
  HiveBpf bpf;
  const Folder folder(bpf);
  const long array = create_map(bpf, {.type = spec::MapType::ProgArray, .value = 4});
  const long prog = load_prog(bpf, spec::ProgType::Xdp, return_value(2));
  ASSERT_EQ(update(bpf, array, std::uint32_t{0}, static_cast<std::uint32_t>(prog)), 0);
  ASSERT_EQ(pin(bpf, array, folder.name + "/a"), 0);
  ::close(static_cast<int>(prog));
  ::close(static_cast<int>(array));
  spec::Attr attr{};
  EXPECT_EQ(bpf(Command::ProgGetNextId, attr), 0);
  ::unlink((folder.real + "/a").c_str());
  attr = {};
  EXPECT_EQ(bpf(Command::ProgGetNextId, attr), -ENOENT);
}

// A file of the same name, and most likely of the same inode, is no pin.
TEST(Pin, AFileThatNobodyPinnedIsNone) {
  HiveBpf bpf;
  Fds fds;
  const Folder folder(bpf);
  const long map = fds.keep(create_map(bpf, {}));
  const std::string file = folder.real + "/a";
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(pin(bpf, map, folder.name + "/a"), 0);
    ASSERT_EQ(::unlink(file.c_str()), 0);
    first_map(bpf);  // looks, and finds that it has gone
    fds.keep(::open(file.c_str(), O_CREAT | O_EXCL | O_RDWR, 0600));
    EXPECT_EQ(get(bpf, folder.name + "/a"), -EACCES);
    ASSERT_EQ(::unlink(file.c_str()), 0);
  }
}

TEST(Pin, ThePermissionsOfTheFileCount) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may do everything";
  HiveBpf bpf;
  Fds fds;
  const Folder folder(bpf);
  ASSERT_EQ(pin(bpf, fds.keep(create_map(bpf, {})), folder.name + "/a"), 0);
  ASSERT_EQ(::chmod((folder.real + "/a").c_str(), 0400), 0);
  EXPECT_EQ(get(bpf, folder.name + "/a"), -EACCES);
  EXPECT_GE(fds.keep(get(bpf, folder.name + "/a", spec::kRdonly)), 0);
}

TEST(Pin, TheHivesFolderGoesWithIt) {
  std::string folder;
  {
    HiveBpf bpf;
    Fds fds;
    ASSERT_EQ(pin(bpf, fds.keep(create_map(bpf, {})), "/sys/fs/bpf/a"), 0);
    folder = bpf.bpffs();
    EXPECT_EQ(::access((folder + "/a").c_str(), F_OK), 0);
  }
  EXPECT_NE(::access(folder.c_str(), F_OK), 0);
}

}  // namespace
}  // namespace skep::hive::testing
