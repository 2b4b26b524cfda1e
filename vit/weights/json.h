#pragma once

#include <base/json.h>
#include <vit/error.h>

namespace vit {

using base::JsonNode;
using base::parse_json;

}  // namespace vit
