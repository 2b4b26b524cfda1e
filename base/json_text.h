#pragma once

#include <string>

namespace base {

/// Compact, or with that indent; bytes that are no UTF-8 (in file names) become U+FFFD. `Json` is
/// nlohmann::json or its ordered kind.
template <typename Json>
std::string json_text(const Json& json, int indent = -1) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace base
