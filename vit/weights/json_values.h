#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <vit/config.h>
#include <vit/weights/json.h>
#include <vit/weights/text.h>

// Values that the config files of several libraries have in common.

namespace vit {

/// The value of `choices` that a text names; an error that lists them all otherwise.
template <typename T>
T choose(const JsonNode& node, std::span<const std::pair<const char*, T>> choices) {
  std::string expected;
  for (const auto& [name, value] : choices) {
    if (node.string() == name) return value;
    expected += (expected.empty() ? "\"" : ", \"") + std::string(name) + "\"";
  }
  node.fail("\"", shortened(node.string()), "\" is unknown or not supported, expected one of ",
            expected);
}
template <typename T>
T choose(const JsonNode& node, std::initializer_list<std::pair<const char*, T>> choices) {
  return choose(node, std::span<const std::pair<const char*, T>>(choices.begin(), choices.end()));
}
template <typename T, std::size_t N>
T choose(const JsonNode& node, const std::pair<const char*, T> (&choices)[N]) {
  return choose(node, std::span<const std::pair<const char*, T>>(choices));
}

/// A number of things: 0 to a billion. VitConfig::validate() knows the real limits; this one keeps
/// arithmetic from overflowing before that.
int64_t count(const JsonNode& node);

/// 224 or [height, width].
Size2d parse_size(const JsonNode& node);

/// A list of numbers.
std::vector<double> numbers(const JsonNode& node);

/// The member `key` of an object, true or false; `otherwise` if it is not there.
bool flag(const JsonNode& node, const char* key, bool otherwise);

/// A class index that is the key of an object.
int64_t parse_index(const std::string& text, const JsonNode& node);

}  // namespace vit
