#include <apps/distributed/connect.h>
#include <vit/error.h>

namespace distributed {

std::shared_ptr<Group> connect(const Environment& environment, c10::Device,
                               std::chrono::milliseconds, std::chrono::milliseconds) {
  vit::fail("WORLD_SIZE is ", environment.size,
            ", but this program was built to work as one process: " VITOME_NOT_DISTRIBUTED
            ". Unset RANK and WORLD_SIZE, or build it anew");
}

}  // namespace distributed
