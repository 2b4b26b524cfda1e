#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <base/error.h>

namespace base {

/// Parses strict JSON: UTF-8, no byte order mark, no duplicate keys, no NUL, nothing after the
/// value, at most 64 levels deep. `where` begins error messages.
nlohmann::json parse_json(std::string_view text, const std::string& where);

/// A value of a JSON document with its place in it, so that errors can say what is wrong where:
/// "config.json: model_args.depth: expected an integer, got a list". The document must outlive it.
class JsonNode {
 public:
  JsonNode(const nlohmann::json& value, std::string where)
      : value_(&value), where_(std::move(where)) {}

  bool is_null() const { return value_->is_null(); }
  bool is_array() const { return value_->is_array(); }
  bool is_object() const { return value_->is_object(); }
  bool is_string() const { return value_->is_string(); }

  /// Member of an object; null counts as absent.
  std::optional<JsonNode> find(const std::string& key) const;
  JsonNode at(const std::string& key) const;
  std::vector<std::pair<std::string, JsonNode>> members() const;
  std::vector<JsonNode> elements() const;

  /// The typed getters throw Error unless the value is of that type and in range. number() takes
  /// integers too, integer() does not take 4.0.
  int64_t integer(int64_t low, int64_t high) const;
  double number() const;
  bool boolean() const;
  const std::string& string() const;

  /// Throws Error about this value.
  template <typename... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    base::fail(where_, ": ", parts...);
  }

 private:
  [[noreturn]] void fail_type(const char* expected) const;
  std::string place(const std::string& key) const;

  const nlohmann::json* value_;
  std::string where_;
};

}  // namespace base
