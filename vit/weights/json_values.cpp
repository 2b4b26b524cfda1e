#include <charconv>

#include <vit/weights/json_values.h>

namespace vit {

int64_t count(const JsonNode& node) { return node.integer(0, 1'000'000'000); }

Size2d parse_size(const JsonNode& node) {
  if (!node.is_array()) return {count(node), count(node)};
  const auto sides = node.elements();
  if (sides.size() != 2) node.fail("expected one number or [height, width]");
  return {count(sides[0]), count(sides[1])};
}

std::vector<double> numbers(const JsonNode& node) {
  std::vector<double> values;
  for (const auto& element : node.elements()) values.push_back(element.number());
  return values;
}

bool flag(const JsonNode& node, const char* key, bool otherwise) {
  const auto found = node.find(key);
  return found ? found->boolean() : otherwise;
}

int64_t parse_index(const std::string& text, const JsonNode& node) {
  int64_t index = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
  if (error != std::errc() || end != text.data() + text.size() || index < 0)
    node.fail("\"", shortened(text), "\" is no class index");
  return index;
}

}  // namespace vit
