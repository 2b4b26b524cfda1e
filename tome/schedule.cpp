#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <sstream>
#include <string_view>

#include <tome/matching.h>
#include <tome/schedule.h>
#include <vit/error.h>

namespace tome {
namespace {

constexpr int64_t kMaxR = 1 << 20;

template <typename T>
std::optional<T> number(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

void check_r(int64_t r) {
  if (r < 0 || r > kMaxR)
    vit::fail("schedule: r is ", r, ", expected 0 to ", kMaxR, " tokens a layer");
}

}  // namespace

Schedule::Schedule(int64_t r) : Schedule(linear(r, 0.0)) {}

Schedule::Schedule(std::vector<int64_t> per_layer) {
  for (const int64_t r : per_layer) check_r(r);
  rule_ = std::move(per_layer);
}

Schedule Schedule::linear(int64_t r, double inflect) {
  check_r(r);
  if (!(std::abs(inflect) <= 1.0))
    vit::fail("schedule: inflect is ", inflect, ", expected -1 (merge early) to 1 (merge late)");
  return Schedule(Linear{r, inflect});
}

Schedule Schedule::keep_ratio(double keep) {
  if (!(keep > 0.0 && keep <= 1.0))
    vit::fail("schedule: keep is ", keep, ", expected above 0 and at most 1");
  return Schedule(Keep{keep});
}

Schedule Schedule::parse(const std::string& text) {
  const std::string_view view = text;
  const auto bad = [&]() {
    vit::fail("schedule \"", text, "\" is none of: 13 (r tokens in every layer), 13,-1.0 (r and ",
              "inflect, -1 early to 1 late), [8,0,8,4] (layer by layer), keep=0.9 (fraction of ",
              "patch tokens that every layer keeps)");
  };
  if (view.starts_with("keep=")) {
    const auto keep = number<double>(view.substr(5));
    if (!keep) bad();
    return keep_ratio(*keep);
  }
  if (view.starts_with('[') && view.ends_with(']')) {
    std::vector<int64_t> per_layer;
    std::string_view rest = view.substr(1, view.size() - 2);
    while (!rest.empty()) {
      const auto comma = rest.find(',');
      const auto r = number<int64_t>(rest.substr(0, comma));
      if (!r) bad();
      per_layer.push_back(*r);
      rest = comma == rest.npos ? std::string_view() : rest.substr(comma + 1);
      if (comma != rest.npos && rest.empty() && view[view.size() - 2] == ',') bad();
    }
    return Schedule(std::move(per_layer));
  }
  const auto comma = view.find(',');
  const auto r = number<int64_t>(view.substr(0, comma));
  if (!r) bad();
  if (comma == view.npos) return Schedule(*r);
  const auto inflect = number<double>(view.substr(comma + 1));
  if (!inflect) bad();
  return linear(*r, *inflect);
}

int64_t Schedule::merged(const vit::LayerTokens& at) const {
  const auto [layer, depth, tokens, prefix_tokens] = at;
  int64_t r = 0;
  if (const auto* rule = std::get_if<Linear>(&rule_)) {
    const double low = std::trunc(rule->r * (1.0 - rule->inflect));
    const double high = 2.0 * rule->r - low;
    const double step = depth > 1 ? (high - low) / (depth - 1) : 0.0;
    // A single layer has no slope to follow.
    r = depth > 1 ? static_cast<int64_t>(low + step * layer) : rule->r;
  } else if (const auto* list = std::get_if<std::vector<int64_t>>(&rule_)) {
    r = layer < static_cast<int64_t>(list->size()) ? (*list)[layer] : 0;
  } else {
    const double patches = std::max<int64_t>(tokens - prefix_tokens, 0);
    r = static_cast<int64_t>(std::floor(patches - patches * std::get<Keep>(rule_).ratio));
  }
  return merged_count(r, tokens, prefix_tokens);
}

bool Schedule::empty() const {
  if (const auto* rule = std::get_if<Linear>(&rule_)) return rule->r == 0;
  if (const auto* list = std::get_if<std::vector<int64_t>>(&rule_))
    return std::all_of(list->begin(), list->end(), [](int64_t r) { return r == 0; });
  return std::get<Keep>(rule_).ratio == 1.0;
}

std::string Schedule::to_string() const {
  std::ostringstream text;
  if (const auto* rule = std::get_if<Linear>(&rule_)) {
    text << rule->r;
    if (rule->inflect != 0.0) text << ',' << rule->inflect;
  } else if (const auto* list = std::get_if<std::vector<int64_t>>(&rule_)) {
    for (size_t i = 0; i < list->size(); ++i) text << (i ? "," : "[") << (*list)[i];
    text << (list->empty() ? "[]" : "]");
  } else {
    text << "keep=" << std::get<Keep>(rule_).ratio;
  }
  return text.str();
}

}  // namespace tome
