#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace cli {

/// Folder of the running executable.
std::filesystem::path executable_folder();

/// Where shipped models may lie: $VITOME_MODELS if it is set, share/vitome/models of the
/// installation, and models/ in the folders above the executable, for a build tree.
std::vector<std::filesystem::path> model_folders();

/// The path of a model argument: a weights file, a model folder, the name of a shipped model
/// ("cifar10" is the folder cifar10-vit or cifar10), or "hf:ORG/NAME", which is downloaded unless
/// it is in the cache. Throws base::Error that lists what was searched and which names exist.
std::filesystem::path find_model(const std::string& name);

}  // namespace cli
