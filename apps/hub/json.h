#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include <vit/error.h>

namespace hub {

/// Throws vit::Error that begins with `where` if it is no JSON.
inline nlohmann::json parse_json(std::string_view text, const std::string& where) {
  nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  if (json.is_discarded()) vit::fail(where, ": expected JSON, got something else or a part of it");
  return json;
}

}  // namespace hub
