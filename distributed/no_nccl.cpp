#include <distributed/backends.h>

namespace distributed {

c10::intrusive_ptr<c10d::Backend> make_nccl(const c10::intrusive_ptr<c10d::Store>&, int, int,
                                            std::chrono::milliseconds) {
  return {};
}

}  // namespace distributed
