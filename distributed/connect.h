#pragma once

#include <chrono>
#include <memory>

#include <c10/core/Device.h>

#include <distributed/environment.h>
#include <distributed/group.h>

namespace distributed {

/// The group of several processes that `environment` describes. Throws base::Error.
std::shared_ptr<Group> connect(const Environment& environment, c10::Device device,
                               std::chrono::milliseconds timeout,
                               std::chrono::milliseconds call_timeout);

}  // namespace distributed
