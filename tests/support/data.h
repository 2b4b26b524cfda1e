#pragma once

#include <filesystem>

#include <nlohmann/json.hpp>

namespace test {

/// A file or folder below tests/data. Throws if it is not there.
std::filesystem::path data(const std::filesystem::path& name);

nlohmann::json read_json(const std::filesystem::path& path);

}  // namespace test
