// BPF_BTF_LOAD.
#include "btf/btf.h"
#include "btf/record.h"
#include "hive/log.h"
#include "hive/request.h"

namespace skep::hive {
namespace {

Result<btf::Btf> read_types(Request& request, Log& log) {
  const spec::AttrBtfLoad& attr = request.attr.btf_load;
  std::vector<std::byte> data(attr.btf_size);
  if (!request.caller.copy_in(attr.btf, data)) return fail(EFAULT, "btf_load: the types cannot be read");
  TRY(btf::Btf types, btf::Btf::parse(data, log.wanted() ? &log.text : nullptr));
  TRY_VOID(btf::check_locks(types));
  return types;
}

}  // namespace

long btf_load(Request& request) {
  const spec::AttrBtfLoad& attr = request.attr.btf_load;
  if ((attr.btf_flags & ~std::uint32_t{spec::kTokenFd}) != 0) return -EINVAL;
  if ((attr.btf_flags & spec::kTokenFd) != 0) return request.caller.descriptor(attr.btf_token_fd) ? -EINVAL : -EBADF;
  if (!request.caller.privilege().bpf) return -EPERM;
  if (attr.btf_size > btf::kMaxBytes) return refuse(E2BIG, "btf_load: more than 16 MiB");
  Log log{.level = attr.btf_log_level, .address = attr.btf_log_buf, .size = attr.btf_log_size, .text = {}};
  if (!log.valid()) return refuse(EINVAL, "btf_load: log level, buffer and size do not go together");
  Result<btf::Btf> types = read_types(request, log);
  int error = log.write(request.caller);
  constexpr std::size_t kTrueSize = offsetof(spec::AttrBtfLoad, btf_log_true_size);
  if (request.attr_bytes >= kTrueSize + sizeof(std::uint32_t) && !answer(request, kTrueSize, log.true_size()))
    error = EFAULT;
  if (error != 0) return -error;
  if (!types) return refuse(std::move(types.error()));
  Objects& objects = request.hive.objects;
  const Ref<BtfObject> btf = objects.insert(std::make_shared<BtfObject>(*std::move(types)), objects.take_id(Kind::Btf));
  return install(request, *btf);
}

}  // namespace skep::hive
