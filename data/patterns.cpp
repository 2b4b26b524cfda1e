#include "data/patterns.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include <base/error.h>
#include <base/text.h>

namespace data {
namespace {

constexpr std::size_t kMaxNames = 1'000'000;

[[noreturn]] void fail_too_many(const std::string& pattern) {
  base::fail(pattern, ": the braces stand for more than ", kMaxNames, " names");
}

// "000..012": all numbers, with as many digits as the ends have if one begins with a zero.
std::optional<std::vector<std::string>> range(std::string_view inside, const std::string& pattern) {
  const std::size_t dots = inside.find("..");
  if (dots == std::string_view::npos) return std::nullopt;
  const std::string_view first = inside.substr(0, dots);
  const std::string_view last = inside.substr(dots + 2);
  const auto low = base::parse_integer(first);
  const auto high = base::parse_integer(last);
  if (!low || !high || *low < 0 || *high < 0) return std::nullopt;
  const bool padded =
      (first.size() > 1 && first.front() == '0') || (last.size() > 1 && last.front() == '0');
  const std::size_t width = padded ? std::max(first.size(), last.size()) : 0;
  const int64_t step = *low <= *high ? 1 : -1;
  const auto count = static_cast<uint64_t>((*high - *low) * step) + 1;
  if (count > kMaxNames) fail_too_many(pattern);
  std::vector<std::string> names;
  for (uint64_t i = 0; i < count; ++i) {
    const std::string digits = std::to_string(*low + step * static_cast<int64_t>(i));
    names.push_back(std::string(width - std::min(width, digits.size()), '0') + digits);
  }
  return names;
}

std::vector<std::string> alternatives(std::string_view inside, const std::string& pattern) {
  if (const auto numbers = range(inside, pattern)) return *numbers;
  if (inside.find(',') != std::string_view::npos) return base::split(inside, ',');
  return {std::string(1, '{').append(inside) + '}'};
}

}  // namespace

std::vector<std::string> expand_braces(const std::string& pattern) {
  std::vector<std::string> names = {""};
  for (std::string_view rest = pattern; !rest.empty();) {
    const std::size_t open = rest.find('{');
    const std::size_t close = open == std::string_view::npos ? open : rest.find('}', open);
    const std::string_view plain = rest.substr(0, close == std::string_view::npos ? close : open);
    std::vector<std::string> parts = {""};
    if (close != std::string_view::npos)
      parts = alternatives(rest.substr(open + 1, close - open - 1), pattern);
    if (names.size() * parts.size() > kMaxNames) fail_too_many(pattern);
    std::vector<std::string> longer;
    for (const std::string& name : names)
      for (const std::string& part : parts) {
        longer.push_back(name);
        longer.back().append(plain).append(part);
      }
    names = std::move(longer);
    rest.remove_prefix(close == std::string_view::npos ? rest.size() : close + 1);
  }
  return names;
}

}  // namespace data
