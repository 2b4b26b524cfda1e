#pragma once

#include <chrono>
#include <exception>
#include <string>

#include <torch/csrc/distributed/c10d/Store.hpp>

#include <distributed/environment.h>

namespace distributed {

/// The store at MASTER_ADDR:MASTER_PORT through which the processes find each other, once all of
/// them have come to it. Process 0 serves it, unless a launcher does. Throws base::Error that names
/// the place and who is missing after `timeout`, or two processes that contradict each other.
c10::intrusive_ptr<c10d::Store> meet(const Environment& environment,
                                     std::chrono::milliseconds timeout);

/// The first sentence of what LibTorch says of a failure, without its place in the code.
std::string reason(const std::exception& error);

}  // namespace distributed
