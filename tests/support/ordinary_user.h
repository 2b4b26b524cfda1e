#pragma once

#include <sys/fsuid.h>
#include <sys/types.h>
#include <unistd.h>

namespace test {

/// Has this thread see the file system as a user without privileges, even where tests run as root.
class OrdinaryUser {
 public:
  OrdinaryUser() : before_(setfsuid(geteuid() == 0 ? kNobody : geteuid())) {}
  ~OrdinaryUser() { setfsuid(static_cast<uid_t>(before_)); }
  OrdinaryUser(const OrdinaryUser&) = delete;
  OrdinaryUser& operator=(const OrdinaryUser&) = delete;

 private:
  static constexpr uid_t kNobody = 65534;
  int before_;
};

}  // namespace test
