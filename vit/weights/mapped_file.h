#pragma once

#include <base/mapped_file.h>

namespace vit {

using base::MappedFile;

}  // namespace vit
