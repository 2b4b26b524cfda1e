#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

namespace distributed {

/// Processes that work on one job, started as torchrun starts them: RANK, WORLD_SIZE, MASTER_ADDR,
/// MASTER_PORT (and LOCAL_RANK) in the environment. All of them must make the same calls in the
/// same order. A call throws base::Error when another process is gone or late.
class Group {
 public:
  virtual ~Group() = default;

  virtual int64_t rank() const = 0;
  virtual int64_t size() const = 0;
  bool leader() const { return rank() == 0; }

  /// Every process gets the sum of all tensors at the same place of the lists; in place, each of
  /// one dtype and device, packed into few messages.
  virtual void all_reduce_sum(const std::vector<at::Tensor>& tensors) = 0;

  /// Every process gets what the leader has, in place.
  virtual void broadcast(const std::vector<at::Tensor>& tensors) = 0;

  /// Every process gets the texts of all, by rank. They may differ in length.
  virtual std::vector<std::string> all_gather(const std::string& text) = 0;

  /// Returns when all processes have come here.
  virtual void barrier() = 0;
};

/// The group that the environment describes; a group of this process alone if it names none. Waits
/// for the other processes up to `timeout`; later calls wait up to `call_timeout` for those that
/// are late, and notice at once that one has ended. Throws base::Error that names the variable that
/// is missing or wrong, or the place where the others were not found, and what to do.
std::shared_ptr<Group> group_from_environment(
    c10::Device device, std::chrono::milliseconds timeout = std::chrono::minutes(5),
    std::chrono::milliseconds call_timeout = std::chrono::minutes(30));

/// The device that this process is to use: a GPU without a number becomes the one that LOCAL_RANK
/// names, so that each process of a machine has its own. Throws base::Error if that is no number.
c10::Device local_device(c10::Device device);

}  // namespace distributed
