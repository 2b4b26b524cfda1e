#pragma once

#include <exception>
#include <optional>
#include <string>

namespace cli {

/// Where `error` says that there was not enough memory: that, and how much was asked for if it is
/// known ("out of memory: 1.6 GB more were needed").
std::optional<std::string> out_of_memory(const std::exception& error);

}  // namespace cli
