#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include <train/settings.h>

namespace train {

nlohmann::ordered_json to_json(const Settings& settings);

/// "batch was 128 and is 64 now" for each difference between two documents of to_json().
std::vector<std::string> differences(const nlohmann::ordered_json& before,
                                     const nlohmann::ordered_json& now);

}  // namespace train
