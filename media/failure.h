#pragma once

#include <string>

namespace media {

/// What went wrong with the picture `name`, for people. To be called in a catch block.
std::string failure_text(const std::string& name);

}  // namespace media
