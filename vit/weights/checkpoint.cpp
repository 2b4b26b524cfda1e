#include <algorithm>

#include <ATen/ATen.h>

#include <vit/architecture_table.h>
#include <vit/architectures.h>
#include <vit/error.h>
#include <vit/imagenet_labels.h>
#include <vit/refused.h>
#include <vit/weights/checkpoint.h>
#include <vit/weights/fit.h>
#include <vit/weights/infer.h>
#include <vit/weights/layouts/layout.h>
#include <vit/weights/text.h>
#include <vit/weights/wrappers.h>

namespace vit {
namespace {

std::vector<std::string> names_of(const StateDict& weights) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : weights) names.push_back(name);
  return names;
}

/// Classes of the head that the weights have; 0 if they have none.
int64_t classes_of(const StateDict& weights) {
  const auto head = weights.find("head.weight");
  return head != weights.end() && head->second.dim() == 2 ? head->second.size(0) : 0;
}

ModelConfig choose_config(const ConfigOf& config_of, const StateDict& weights,
                          const StateDict& stored, const Layout& layout, const LoadOptions& options,
                          const std::string& where) {
  if (!options.architecture.empty()) {
    auto named = architecture(options.architecture);
    // The number of classes belongs to the checkpoint, not to the architecture.
    named.vit.head.num_classes = classes_of(weights);
    return named;
  }
  if (auto config = config_of(layout)) return *std::move(config);
  auto inferred = infer_config(weights, where, options.image_size);
  layout.apply_defaults(stored, inferred.vit);
  return inferred;
}

/// Whether the norms are what every library initialises them to, which no training leaves.
bool is_untrained(const StateDict& weights) {
  bool has_norms = false;
  for (const auto& [name, tensor] : weights) {
    if (!name.starts_with("blocks.") || !name.ends_with(".norm1.weight")) continue;
    if (!tensor.to(at::kFloat).eq(1).all().item<bool>()) return false;
    has_norms = true;
  }
  return has_norms;
}

/// timm writes the tag of an architecture's usual checkpoint into the config of any model of it,
/// and read_config() takes the family from there.
void forget_untrained_family(const StateDict& weights, VitConfig& config) {
  for (const auto& row : architecture_table())
    if (config.architecture == row.name && is_untrained(weights))
      config.family = family_of_architecture(row.name);
}

/// OpenCLIP gives the final norm the same name on either side of the pooling, timm does not.
void name_norm_by_place(const VitConfig& config, const Layout& layout, StateDict& weights) {
  if (&layout != &kOpenClipLayout || !config.head.norm_after) return;
  for (const std::string part : {"weight", "bias"})
    if (auto norm = weights.extract("norm." + part)) {
      norm.key() = "fc_norm." + part;
      weights.insert(std::move(norm));
    }
}

/// Gives the config the number of classes that the options ask for and takes a head of another
/// number out of the weights.
void choose_head(Checkpoint& checkpoint, const StateDict& stored, int64_t num_classes,
                 const LoadOptions& options, const std::string& where) {
  auto& config = checkpoint.config;
  const int64_t before = classes_of(checkpoint.weights);
  const auto name = name_in_file(stored, checkpoint.weights, "head.weight");
  config.vit.head.num_classes = num_classes;
  if (static_cast<int64_t>(config.labels.size()) > num_classes) config.labels.clear();
  if (before == num_classes) return;
  std::erase_if(checkpoint.weights, [](const auto& item) {
    return item.first.starts_with("head.") || item.first.starts_with("head_dist.");
  });
  if (num_classes == 0) return;
  config.vit.head.bias = true;
  checkpoint.new_head = true;
  if (options.on_warning)
    options.on_warning(where + ": the head " +
                       (before ? in_quotes(name) + " of " + std::to_string(before) + " classes"
                               : std::string("that the weights lack")) +
                       " is replaced by one of " + std::to_string(num_classes) +
                       " classes with random weights: train it before its predictions mean "
                       "anything");
}

}  // namespace

Checkpoint resolve_checkpoint(StateDict stored, const ConfigOf& config_of,
                              const LoadOptions& options, const std::string& where) {
  stored = without_wrapper_prefixes(std::move(stored));
  const Layout& layout = detect_layout(stored);
  Checkpoint checkpoint;
  checkpoint.weights = layout.to_timm(stored, where);
  refuse_other_models(names_of(stored), names_of(checkpoint.weights), where);
  checkpoint.config = choose_config(config_of, checkpoint.weights, stored, layout, options, where);
  auto& vit = checkpoint.config.vit;
  name_norm_by_place(vit, layout, checkpoint.weights);
  forget_untrained_family(checkpoint.weights, vit);
  if (options.num_classes) choose_head(checkpoint, stored, *options.num_classes, options, where);

  check_config_fits(vit, checkpoint.weights, stored, where);
  checkpoint.image_size = options.image_size.value_or(vit.image_size());
  // The model is built for the size of its position table and resampled from there.
  vit.set_image_size(image_size_of_weights(vit, checkpoint.image_size, checkpoint.weights, where));
  if (!options.image_size) check_positions(vit, checkpoint.image_size, checkpoint.weights, where);
  auto& labels = checkpoint.config.labels;
  if (labels.empty() && !checkpoint.new_head) labels = imagenet_labels(vit.head.num_classes);
  return checkpoint;
}

}  // namespace vit
