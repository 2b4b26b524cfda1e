#pragma once

#include <filesystem>
#include <functional>
#include <string>

namespace base {

/// Brings the model of that name, without the prefix, and returns the folder or file where it is.
/// Throws Error.
using ModelSource = std::function<std::filesystem::path(const std::string& name)>;

/// From now on `prefix` ("hf:") in front of a model's name means that source, in the place of an
/// earlier one; an empty function takes it away. hub::enable() does this. For any thread.
void set_model_source(const std::string& prefix, ModelSource source);

/// Where the model is that a name with such a prefix means; any other text is a path and comes back
/// as it is. Throws Error for "hf:" where no source has been set.
std::filesystem::path find_model(const std::filesystem::path& model);

}  // namespace base
