#pragma once

#include <filesystem>
#include <string>

namespace cli {

/// The folder of the model that `hf:NAME` means: from the cache if it is complete there, else from
/// the hub. Throws base::Error; in a build without downloads always.
std::filesystem::path hub_model(const std::string& name);

}  // namespace cli
