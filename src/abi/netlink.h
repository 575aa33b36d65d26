// Which program a message to rtnetlink(7) attaches: XDP at an interface, cls_bpf as a tc filter.
//
// The machine's kernel cannot run a hive's programs. It would say EINVAL of their descriptors, as of any that is no
// program; who knows that it is one says EOPNOTSUPP. Messages may be anything. Tested by: abi/netlink_test.cc,
// tests/exec.
#pragma once

#include <optional>

#include "base/bytes.h"

namespace skep::abi {

// The descriptor in the first of a buffer's messages that names one; nothing where none does.
std::optional<int> attached_by(Bytes messages) noexcept;

}  // namespace skep::abi
