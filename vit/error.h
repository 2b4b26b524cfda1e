#pragma once

#include <base/error.h>

namespace vit {

using base::Error;
using base::fail;

}  // namespace vit
