// What BPF_OBJ_GET_INFO_BY_FD fills, as the caller has it: his structure may be shorter or longer than ours.
#pragma once

#include <algorithm>
#include <cerrno>
#include <span>

#include "hive/request.h"

namespace skep::hive {

// The caller's structure as a copy of ours.
template <class Info>
class UserInfo {
 public:
  explicit UserInfo(Request& request) : request_(request), attr_(request.attr.info) {}

  // 0; E2BIG when bytes beyond ours are not zero or it is longer than a page; EFAULT.
  int read(Info& info) noexcept {
    if (const int error = check_tail(); error != 0) return error;
    return request_.caller.copy_in(attr_.info, std::as_writable_bytes(std::span(&info, 1)).first(size())) ? 0 : EFAULT;
  }
  int check_tail() noexcept {
    return skep::hive::check_tail(request_.caller, attr_.info, attr_.info_len, sizeof(Info));
  }
  int write(const Info& info) noexcept {
    const auto written = static_cast<std::uint32_t>(size());
    return request_.caller.copy_out(attr_.info, bytes_of(info).first(size())) &&
                   answer(request_, offsetof(spec::AttrInfo, info_len), written)
               ? 0
               : EFAULT;
  }
  std::size_t size() const noexcept { return std::min<std::size_t>(attr_.info_len, sizeof(Info)); }

 private:
  Request& request_;
  const spec::AttrInfo& attr_;
};

// Of a link; as obj_get_info_by_fd().
long link_info(Request& request, const LinkObject& link);

}  // namespace skep::hive
