#include <algorithm>
#include <map>
#include <vector>

#include <ATen/ATen.h>

#include <vit/error.h>
#include <vit/weights/heads.h>
#include <vit/weights/module_names.h>
#include <vit/weights/text.h>

namespace vit {
namespace {

std::string_view first_module(std::string_view name) {
  return name.substr(0, name.find_first_of("./"));
}

/// All tensors of one classifier, under their full names.
struct Group {
  bool beside = false;  ///< not among the model's tensors
  StateDict tensors;
  std::string weight, bias;  ///< of its only linear layer; empty if it is more than that

  at::Tensor weight_tensor() const { return tensors.at(weight); }
};

/// Groups by the name of the module that holds them.
using Groups = std::map<std::string, Group>;

/// The module beside a model under `prefix` that a tensor belongs to, if that may be a classifier;
/// empty otherwise. It lies in one of the modules that the model itself lies in.
std::string head_beside(std::string_view name, std::string_view prefix) {
  constexpr int kMaxLevels = 32;
  for (int level = 0; level < kMaxLevels && !prefix.empty(); ++level) {
    const size_t dot = prefix.substr(0, prefix.size() - 1).rfind('.');
    prefix = prefix.substr(0, dot == prefix.npos ? 0 : dot + 1);
    if (!name.starts_with(prefix)) continue;
    const auto module = first_module(name.substr(prefix.size()));
    if (names_head(module)) return std::string(prefix) + std::string(module);
  }
  return {};
}

void find_linear_layer(Group& group) {
  constexpr std::string_view kWeight = "weight";
  for (const auto& [name, tensor] : group.tensors)
    if (tensor.dim() == 2 && name.ends_with(kWeight)) {
      const std::string bias = name.substr(0, name.size() - kWeight.size()) + "bias";
      const auto found = group.tensors.find(bias);
      const bool has_bias = found != group.tensors.end() && found->second.dim() == 1 &&
                            found->second.size(0) == tensor.size(0);
      if (group.tensors.size() != (has_bias ? 2u : 1u)) return;
      group.weight = name;
      if (has_bias) group.bias = bias;
    }
}

Groups find_groups(const StateDict& weights, const FoundModel& found) {
  Groups groups;
  for (const auto& [name, tensor] : weights) {
    const auto module = first_module(name);
    // The representation layer of early ViTs is the first of two.
    const bool is_part = module == "pre_logits";
    if (is_part || names_head(module))
      groups[is_part ? "head" : std::string(module)].tensors.emplace(name, tensor);
  }
  for (const auto& [name, tensor] : found.beside)
    if (const auto module = head_beside(name, found.prefix); !module.empty()) {
      // One beside a model under no prefix cannot be: it would be one of its tensors.
      auto& group = groups["beside " + module];
      group.beside = true;
      group.tensors.emplace(name, tensor);
    }
  for (auto& [module, group] : groups) find_linear_layer(group);
  return groups;
}

/// "head.0.weight" [16, 64], "head.2.weight" [3, 16]; biases aside.
std::string list(const Groups& groups) {
  std::string text;
  for (const auto& [module, group] : groups)
    for (const auto& [name, tensor] : group.tensors)
      if (!name.ends_with("bias"))
        text += (text.empty() ? "" : ", ") + in_quotes(name) + " " + shape_text(tensor.sizes());
  return text;
}

/// Whether it reads the features of a model of `width` channels, or class token and mean together.
bool fits(const Group& group, int64_t width) {
  if (group.weight.empty()) return false;
  const int64_t columns = group.weight_tensor().size(1);
  return columns == width || columns == 2 * width;
}

const Group* choose(const Groups& groups, int64_t width, std::optional<int64_t> num_classes) {
  if (groups.size() == 1 && fits(groups.begin()->second, width)) return &groups.begin()->second;
  const Group* chosen = nullptr;
  for (const auto& [module, group] : groups) {
    if (!num_classes || !fits(group, width) || group.weight_tensor().size(0) != *num_classes)
      continue;
    if (chosen) return nullptr;
    chosen = &group;
  }
  return chosen;
}

[[noreturn]] void fail_unclear(const Groups& groups, int64_t width, const std::string& where) {
  const auto text = list(groups);
  if (groups.size() == 1 && groups.begin()->second.weight.empty())
    fail(where, ": its head is more than one linear layer: ", text,
         "; what lies between them is not in the file, so it cannot be computed. Choose by ",
         base::Setting{"LoadOptions::num_classes"},
         ": an untrained head takes its place, to be trained");
  if (groups.size() == 1)
    fail(where, ": its head ", text, " does not read the ", width,
         " channels of the model: something that is not in the file lies between them. Choose by ",
         base::Setting{"LoadOptions::num_classes"},
         ": an untrained head takes its place, to be trained");
  fail(where, ": nothing tells which of these is its head, or what lies between them: ", text,
       "; choose by ", base::Setting{"LoadOptions::num_classes"},
       ": the one of that many classes is taken, or an untrained one that is to be trained");
}

}  // namespace

std::string find_head(StateDict& weights, FoundModel& found, const LoadOptions& options,
                      const std::string& where) {
  const auto patches = weights.find("patch_embed.proj.weight");
  if (patches == weights.end() || patches->second.dim() == 0) return {};
  const int64_t width = patches->second.size(0);
  Groups groups = find_groups(weights, found);
  if (groups.empty()) return {};
  const auto is_plain = [](const auto& item) {
    return item.first == "head.weight" || item.first == "head.bias";
  };
  // Whatever is wrong with such a head is reported when it is compared with the config.
  const Group& first = groups.begin()->second;
  if (groups.size() == 1 && !first.beside && std::ranges::all_of(first.tensors, is_plain))
    return {};

  const Group* chosen = choose(groups, width, options.num_classes);
  if (!chosen && !options.num_classes && options.strict && !options.replaces_head)
    fail_unclear(groups, width, where);
  for (const auto& [module, group] : groups)
    for (const auto& [name, tensor] : group.tensors)
      (group.beside ? found.beside : weights).erase(name);
  if (!chosen) return list(groups);

  weights["head.weight"] = chosen->weight_tensor();
  if (!chosen->bias.empty()) weights["head.bias"] = chosen->tensors.at(chosen->bias);
  if (chosen->beside) {
    for (const auto& [name, tensor] : chosen->tensors) found.weights.emplace(name, tensor);
    if (options.on_warning)
      options.on_warning(where + ": " + in_quotes(chosen->weight) + ", beside the model under " +
                         in_quotes(found.prefix) +
                         ", is taken for its head; which features it reads is not in the file: "
                         "those of the model's usual head are assumed");
  }
  std::erase_if(groups, [&](const auto& item) { return &item.second == chosen; });
  return list(groups);
}

}  // namespace vit
