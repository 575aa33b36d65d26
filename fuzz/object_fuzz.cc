// Arbitrary bytes as an object file: checked, opened by libbpf and loaded into a hive. What the check lets through must
// not crash libbpf.
// links: skep_loader skep_abi skep_abi_syscall
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "abi/route.h"
#include "hive/hive.h"
#include "loader/object.h"

namespace {

using namespace skep;

// One hive for all inputs: what an input makes goes when its object is closed.
hive::Hive& the_hive() {
  static const std::unique_ptr<hive::Hive> hive = [] {
    auto made = hive::Hive::create({});
    if (!made) std::abort();
    return *std::move(made);
  }();
  return *hive;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > (1U << 16)) return 0;
  Result<loader::Object> object = loader::Object::open(std::as_bytes(std::span(data, size)), "fuzz.bpf.o", {});
  if (!object) return 0;
  for (std::size_t i = 0; i < object->maps().size(); ++i) {
    for (std::byte& byte : object->initial_value(i)) byte ^= std::byte{1};
  }
  const abi::Target target = abi::use(the_hive());
  if (object->load() && object->find_program("") && object->program_fd(*object->find_program("")) < 0) std::abort();
  return 0;
}
