#include "loader/compile.h"

#include "loader/elf_check.h"
#include "loader/testing_source.h"
#include "loader/vmlinux.h"

namespace skep::loader {
namespace {

TEST(Compile, ShowsTheCompilersErrors) {
  const TemporaryFile source("broken.bpf.c", "int f(void) { return nothing; }\n");
  Result<std::vector<std::byte>> object = compile(source.path(), {});
  ASSERT_FALSE(object);
  EXPECT_NE(object.error().message.find("does not compile"), std::string::npos);
  EXPECT_NE(object.error().message.find("undeclared identifier 'nothing'"), std::string::npos)
      << object.error().message;
}

TEST(Compile, NamesAMissingSource) {
  Result<std::vector<std::byte>> object = compile("/nowhere/x.bpf.c", {});
  ASSERT_FALSE(object);
  EXPECT_EQ(object.error().code, ENOENT);
  EXPECT_EQ(object.error().message, "/nowhere/x.bpf.c: No such file or directory");
}

TEST(Compile, PassesArgumentsOn) {
  const TemporaryFile source("defined.bpf.c",
                             "#ifndef WANTED\n#error missing\n#endif\nint f(void) { return WANTED; }\n");
  EXPECT_FALSE(compile(source.path(), {}));
  CompileOptions options;
  options.arguments = {"-DWANTED=3"};
  EXPECT_TRUE(compile(source.path(), options));
}

TEST(Compile, MakesVmlinuxHeader) {
  if (::access(kKernelBtf, R_OK) != 0) GTEST_SKIP() << "the kernel shows no BTF";
  const TemporaryFile cache("cache", "");
  std::filesystem::remove(cache.path());
  std::filesystem::create_directory(cache.path());
  ::setenv("XDG_CACHE_HOME", cache.path().c_str(), 1);
  const TemporaryFile source(
      "core.bpf.c",
      "#include \"vmlinux.h\"\n#include <bpf/bpf_helpers.h>\n"
      "SEC(\"xdp\") int f(struct xdp_md *c) { return ((struct ethhdr *)(long)c->data) != 0; }\n");
  Result<std::vector<std::byte>> object = compile(source.path(), {});
  EXPECT_TRUE(object) << object.error().message;
  EXPECT_TRUE(vmlinux_folder());
  std::filesystem::remove_all(cache.path());
}

}  // namespace
}  // namespace skep::loader
