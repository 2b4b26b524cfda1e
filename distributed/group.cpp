#include <distributed/connect.h>
#include <distributed/environment.h>
#include <distributed/group.h>

namespace distributed {
namespace {

class Alone final : public Group {
 public:
  int64_t rank() const override { return 0; }
  int64_t size() const override { return 1; }
  void all_reduce_sum(const std::vector<at::Tensor>&) override {}
  void broadcast(const std::vector<at::Tensor>&) override {}
  std::vector<std::string> all_gather(const std::string& text) override { return {text}; }
  void barrier() override {}
};

}  // namespace

std::shared_ptr<Group> group_from_environment(c10::Device device, std::chrono::milliseconds timeout,
                                              std::chrono::milliseconds call_timeout) {
  const Environment environment = read_environment();
  if (environment.size == 1) return std::make_shared<Alone>();
  return connect(environment, local_device(device), timeout, call_timeout);
}

}  // namespace distributed
