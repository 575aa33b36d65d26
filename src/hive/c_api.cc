// The C API of include/skep/skep.h.
#include "skep/skep.h"

#include <cerrno>
#include <memory>
#include <string>

#include "hive/hive.h"
#include "spec/attr.h"
#include "spec/commands.h"

struct skep_hive {
  std::unique_ptr<skep::hive::Hive> hive;
};

namespace {

using skep::hive::Hive;

long result_of(long code) noexcept {
  if (code >= 0) return code;
  errno = static_cast<int>(-code);
  return -1;
}

}  // namespace

extern "C" {

skep_hive* skep_hive_new(enum skep_engine engine) {
  using skep::hive::Engine;
  const Engine chosen = engine == SKEP_ENGINE_JIT      ? Engine::Jit
                        : engine == SKEP_ENGINE_INTERP ? Engine::Interp
                                                       : Engine::Checked;
  auto hive = Hive::create({.engine = chosen});
  if (hive) return new skep_hive{std::move(*hive)};
  errno = hive.error().code;
  return nullptr;
}

void skep_hive_free(skep_hive* hive) { delete hive; }

long skep_bpf(skep_hive* hive, int cmd, void* attr, uint32_t size) {
  skep::hive::LocalCaller caller;
  return result_of(hive->hive->call(caller, cmd, reinterpret_cast<std::uintptr_t>(attr), size));
}

const char* skep_last_error(void) { return Hive::last_error().c_str(); }

const char* skep_last_failure(void) {
  thread_local std::string text;
  const skep::exec::Failure& failure = Hive::last_failure();
  text = failure.kind == skep::exec::Failure::Kind::None ? std::string() : failure.text();
  return text.c_str();
}

int skep_run_bytes(skep_hive* hive, int prog_fd, const void* packet, uint32_t size, void* out, uint32_t* out_size,
                   uint32_t* result) {
  const bool wants_packet = out != nullptr && out_size != nullptr && *out_size != 0;
  skep::spec::Attr attr{};
  attr.test.prog_fd = static_cast<std::uint32_t>(prog_fd);
  attr.test.data_in = reinterpret_cast<std::uintptr_t>(packet);
  attr.test.data_size_in = size;
  attr.test.data_out = wants_packet ? reinterpret_cast<std::uintptr_t>(out) : 0;
  attr.test.data_size_out = wants_packet ? *out_size : 0;
  const long code = skep_bpf(hive, static_cast<int>(skep::spec::Command::ProgTestRun), &attr, sizeof attr);
  if (out_size != nullptr) *out_size = attr.test.data_size_out;
  if (result != nullptr) *result = attr.test.retval;
  return static_cast<int>(code);
}

int skep_owns(int fd) { return Hive::owns(fd) ? 1 : 0; }

}  // extern "C"
