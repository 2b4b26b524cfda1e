#pragma once

#include <optional>
#include <string>

namespace distributed {

/// The numeric address under which this machine talks to `host`, and so is reached from there: the
/// name of a machine often means no more than its loopback interface. Nothing if `host` has no
/// address or there is no way to it.
std::optional<std::string> local_address(const std::string& host);

}  // namespace distributed
