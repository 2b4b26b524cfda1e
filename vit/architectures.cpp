#include <algorithm>
#include <string_view>
#include <vector>

#include <base/spelling.h>
#include <vit/architecture_table.h>
#include <vit/architectures.h>
#include <vit/error.h>
#include <vit/refused.h>

namespace vit {
namespace {

struct Family {
  std::string_view part;  ///< of the name
  const char* name;
};

// The first that fits counts; scripts/make_families_docs reads them, too.
constexpr Family kFamilies[] = {
    {"deit3_", "deit3"},
    {"deit_", "deit"},
    {"dinov2", "dinov2"},
    {"dinov3", "dinov3"},
    {"lingbot", "lingbot"},
    {"sapiens2", "sapiens2"},
    {"tipsv2", "tipsv2"},
    {"naflexvit_base_patch16_siglip", "siglip2"},
    {"naflexvit_so400m_patch16_siglip", "siglip2"},
    {"siglip", "siglip"},
    {"eva02_", "eva02"},
    {"eva_", "eva"},
    {"_clip_", "clip"},
    {"flexivit_", "flexivit"},
    {"vit_intern", "internvit"},
    {"vit_pe_", "pe"},
    {"_rope_", "rope_vit"},
    {"beit3_", "beit3"},
    {"beitv2_", "beitv2"},
    {"beit_", "beit"},
    {"aimv2_", "aimv2"},
    {"radio", "radio"},
    {"naflexvit_", "naflexvit"},
    {"relpos_", "relpos"},
    {"test_vit_relpos", "relpos"},
};

std::vector<std::string_view> words_of(std::string_view name) {
  std::vector<std::string_view> words;
  for (;;) {
    const auto end = name.find('_');
    words.push_back(name.substr(0, end));
    if (end == name.npos) return words;
    name.remove_prefix(end + 1);
  }
}

bool is_number(std::string_view word) {
  return !word.empty() && std::ranges::all_of(word, [](char c) { return c >= '0' && c <= '9'; });
}

/// Whether every word of `name` may be the word of `known` that stands there, but for a slip or for
/// its number: names that differ in a word are of another kind of model.
bool may_mean(const std::vector<std::string_view>& name, std::string_view known) {
  const auto words = words_of(known);
  return std::ranges::equal(name, words, [](std::string_view a, std::string_view b) {
    constexpr size_t kMaxSlips = 2;
    if (is_number(a) && is_number(b)) return true;
    return base::edit_distance(a, b) <= std::min(kMaxSlips, (b.size() + 2) / 3);
  });
}

/// Names of the table that `name` may mean, the closest ones; empty if there is none.
std::string close_names(std::string_view name) {
  std::vector<std::pair<size_t, const char*>> ranked;
  const auto words = words_of(name);
  for (const auto& row : architecture_table())
    if (may_mean(words, row.name))
      ranked.emplace_back(base::edit_distance(name, row.name), row.name);
  constexpr size_t kShown = 3;
  std::ranges::stable_sort(ranked, {}, &std::pair<size_t, const char*>::first);
  std::string text;
  for (size_t i = 0; i < std::min(kShown, ranked.size()); ++i)
    text += (i ? ", " : "") + std::string(ranked[i].second);
  return text;
}

}  // namespace

const Architecture& find_architecture(const std::string& name) {
  const std::string now = current_name(name);
  const auto plain = std::string_view(now).substr(0, now.find('.'));
  for (const auto& row : architecture_table())
    if (plain == row.name) return row;

  constexpr size_t kMaxName = 80;
  if (plain.size() > kMaxName) fail("unknown architecture \"", plain.substr(0, kMaxName), "…\"");
  if (const char* reason = why_refused(plain))
    fail("architecture \"", plain, "\" is not supported: ", reason);
  const auto close = close_names(plain);
  fail("unknown architecture \"", plain, "\"; ",
       close.empty() ? "names are those of timm, as vit_base_patch16_224"
                     : "close names are " + close);
}

std::string family_of_architecture(std::string_view name) {
  for (const auto& [part, family] : kFamilies)
    if (name.find(part) != name.npos) return family;
  return "vit";
}

const char* family_of_tag(std::string_view tag) {
  for (const char* family : {"augreg", "mae", "dino", "ijepa"})
    if (tag.starts_with(family) || tag.find(std::string("_") + family) != tag.npos) return family;
  return nullptr;
}

ModelConfig architecture(const std::string& name) {
  ModelConfig config = find_tagged_architecture(name).config();
  const std::string now = current_name(name);
  if (const auto dot = now.find('.'); dot != now.npos && config.vit.family == "vit")
    if (const char* family = family_of_tag(std::string_view(now).substr(dot + 1)))
      config.vit.family = family;
  return config;
}

std::vector<std::string> architecture_names() {
  std::vector<std::string> names;
  for (const auto& row : architecture_table()) names.emplace_back(row.name);
  return names;
}

}  // namespace vit
