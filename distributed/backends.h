#pragma once

#include <chrono>
#include <string>

#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

namespace distributed {

/// Collectives of CPU tensors over TCP. The processes find each other through `store`, within
/// `timeout`. The network interfaces are those of GLOO_SOCKET_IFNAME ("eth0,eth1"); without it, the
/// one that leads to `host`.
c10::intrusive_ptr<c10d::Backend> make_gloo(const c10::intrusive_ptr<c10d::Store>& store, int rank,
                                            int size, const std::string& host,
                                            std::chrono::milliseconds timeout);

/// Collectives of CUDA tensors; null if this program was built without NCCL.
c10::intrusive_ptr<c10d::Backend> make_nccl(const c10::intrusive_ptr<c10d::Store>& store, int rank,
                                            int size, std::chrono::milliseconds timeout);

}  // namespace distributed
