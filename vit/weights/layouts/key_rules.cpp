#include <algorithm>
#include <optional>

#include <vit/error.h>
#include <vit/weights/layouts/key_rules.h>

namespace vit {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// What `name` becomes by `rule`, or nothing if it does not match.
std::optional<std::string> apply(const KeyRule& rule, std::string_view name) {
  std::string_view number;
  size_t at = 0;
  for (const char expected : rule.from) {
    if (expected != '*') {
      if (at == name.size() || name[at] != expected) return std::nullopt;
      ++at;
      continue;
    }
    const size_t begin = at;
    while (at < name.size() && is_digit(name[at])) ++at;
    if (at == begin) return std::nullopt;
    number = name.substr(begin, at - begin);
  }
  const auto rest = name.substr(at);
  if (!rest.empty() && rest.front() != '.') return std::nullopt;
  if (rule.to.empty()) return std::string();

  std::string renamed(rule.to);
  if (const auto star = renamed.find('*'); star != renamed.npos) renamed.replace(star, 1, number);
  return renamed.append(rest);
}

std::string rename(std::string_view name, std::span<const KeyRule> rules) {
  for (const auto& rule : rules)
    if (auto renamed = apply(rule, name)) return *std::move(renamed);
  return std::string(name);
}

}  // namespace

bool has_rule(std::string_view name, std::span<const KeyRule> rules) {
  return std::ranges::any_of(rules,
                             [&](const KeyRule& rule) { return apply(rule, name).has_value(); });
}

StateDict rename_keys(const StateDict& weights, std::span<const KeyRule> rules,
                      const std::string& where) {
  StateDict renamed;
  for (const auto& [name, tensor] : weights) {
    auto key = rename(name, rules);
    if (key.empty()) continue;
    if (!renamed.emplace(key, tensor).second)
      fail(where, ": two tensors are \"", key, "\" of the model, one of them is \"", name, "\"");
  }
  return renamed;
}

}  // namespace vit
