// Values of any type that parse() lets through can be printed, whatever their bytes, which are the input again.
// links: skep_btf
#include <cstdint>
#include <cstdlib>

#include "btf/print.h"

namespace {

constexpr std::size_t kMaxValue = 4096;

void print_all(const skep::btf::Btf& btf, skep::Bytes value) {
  using namespace skep::btf;
  const PrintOptions json{.max_bytes = 4096};
  const PrintOptions c{.notation = Notation::C, .layout = Layout::Indented, .max_bytes = 4096};
  for (std::uint32_t id = 0; id <= btf.count() && id < 64; ++id) {
    const auto as_json = print(btf, id, value, json);
    const auto as_c = print(btf, id, value, c);
    if (as_json && as_json->empty()) std::abort();
    if (!btf.size_of(id) && (as_json || as_c)) std::abort();
    (void)declare(btf, id);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const skep::Bytes bytes = std::as_bytes(std::span(data, size));
  const auto btf = skep::btf::Btf::parse(bytes);
  if (!btf) return 0;
  std::vector<std::byte> value(kMaxValue);
  for (std::size_t i = 0; i < value.size(); ++i) value[i] = bytes[i % bytes.size()];
  print_all(*btf, value);
  return 0;
}
