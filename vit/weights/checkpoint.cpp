#include <algorithm>
#include <iterator>
#include <string_view>

#include <ATen/ATen.h>

#include <vit/architecture_table.h>
#include <vit/architectures.h>
#include <vit/error.h>
#include <vit/imagenet_labels.h>
#include <vit/refused.h>
#include <vit/weights/checkpoint.h>
#include <vit/weights/fit.h>
#include <vit/weights/heads.h>
#include <vit/weights/infer.h>
#include <vit/weights/layouts/layout.h>
#include <vit/weights/layouts/packing.h>
#include <vit/weights/shape.h>
#include <vit/weights/text.h>
#include <vit/weights/wrappers.h>

namespace vit {
namespace {

void warn(const LoadOptions& options, const std::string& text) {
  if (options.on_warning) options.on_warning(text);
}

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

/// Of names that are timm's, in part at least.
std::optional<TimmTraits> timm_traits(const Layout& layout, const StateDict& stored) {
  const bool has_timms_tower =
      stored.contains("visual.trunk.patch_embed.proj.weight") && &layout == &kOpenClipLayout;
  if (&layout != &kTimmLayout && &layout != &kAuthorsLayout && !has_timms_tower)
    return std::nullopt;
  return TimmTraits::of_names(stored, &layout == &kAuthorsLayout);
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
  auto inferred = infer_config(weights, where, options.image_size, timm_traits(layout, stored));
  layout.apply_defaults(stored, inferred.vit);
  inferred.assumed.push_back(
      std::string("nothing says how pictures are prepared: as by ") + layout.title +
      " assumed; a config.json or the name of the architecture says otherwise");
  return inferred;
}

/// Whether the norms are what every library initialises them to, which no training leaves.
bool is_untrained(const StateDict& weights) {
  bool has_norms = false;
  for (const auto& [name, tensor] : weights) {
    if (!name.starts_with("blocks.") || !name.ends_with(".norm1.weight")) continue;
    if (!is_type_of_weights(tensor.scalar_type()) ||
        !tensor.to(at::kFloat).eq(1).all().item<bool>())
      return false;
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

/// Gives the config the number of classes that the options ask for and takes a head of another
/// number out of the weights. `unclear` names what the file has for a head and could not be read.
void choose_head(Checkpoint& checkpoint, const StateDict& stored, const std::string& unclear,
                 const LoadOptions& options, const std::string& where) {
  auto& config = checkpoint.config;
  const int64_t num_classes = *options.num_classes;
  const int64_t before = classes_of(checkpoint.weights);
  const auto name = name_in_file(stored, checkpoint.weights, "head.weight");
  config.vit.head.num_classes = num_classes;
  if (num_classes == 1 && config.scores == ScoreKind::softmax) config.scores.reset();
  if (before == num_classes) {
    if (static_cast<int64_t>(config.labels.size()) > num_classes) config.labels.clear();
    if (!unclear.empty()) warn(options, where + ": left out, beside the head: " + unclear);
    return;
  }
  config.labels.clear();
  std::erase_if(checkpoint.weights, [](const auto& item) {
    return item.first.starts_with("head.") || item.first.starts_with("head_dist.");
  });
  if (num_classes == 0) return;
  config.vit.head.bias = true;
  checkpoint.new_head = true;
  warn(options, where + ": the head " +
                    (before ? in_quotes(name) + " of " + std::to_string(before) + " classes"
                     : unclear.empty() ? std::string("that the weights lack")
                                       : unclear) +
                    " is replaced by one of " + std::to_string(num_classes) +
                    " classes with random weights: train it before its predictions mean anything");
}

/// The model has no head where the file's could not be read; `unclear` names what it has. Lenient
/// options let the config say that there is one.
void leave_out_head(Checkpoint& checkpoint, const std::string& unclear, const LoadOptions& options,
                    const std::string& where) {
  const bool has_head = checkpoint.weights.contains("head.weight");
  warn(options,
       where + (has_head ? ": left out, beside the head: " : ": its head is left out: ") + unclear);
  if (has_head || !options.replaces_head) return;
  checkpoint.config.vit.head.num_classes = 0;
  checkpoint.config.labels.clear();
}

/// Takes what has no name of a part of a model, and no type of weights either, out of them.
void set_aside_odd_types(StateDict& weights, FoundModel& found) {
  constexpr std::string_view kParts[] = {
      "blocks",           "patch_embed", "norm",         "norm_pre",
      "fc_norm",          "attn_pool",   "head",         "head_dist",
      "cls_token",        "dist_token",  "reg_token",    "pos_embed",
      "mask_token",       "rope",        "rel_pos_bias", "shared_rel_pos",
      "input_conditioner"};
  std::erase_if(weights, [&](const auto& item) {
    const auto& [name, tensor] = item;
    const auto type = tensor.scalar_type();
    const bool is_usual =
        type == at::kFloat || type == at::kHalf || type == at::kBFloat16 || type == at::kDouble;
    const auto part = std::string_view(name).substr(0, name.find('.'));
    if (is_usual || std::ranges::find(kParts, part) != std::end(kParts)) return false;
    found.beside.emplace(name, tensor);
    return true;
  });
}

/// Says which tensors of the file are no part of the model, counters aside.
void tell_left_out(const FoundModel& found, const LoadOptions& options, const std::string& where) {
  constexpr size_t kShown = 4;
  std::string names;
  size_t count = 0;
  for (const auto& [name, tensor] : found.beside) {
    if (tensor.dim() == 0 && !at::isFloatingType(tensor.scalar_type())) continue;
    if (count++ < kShown) names += (names.empty() ? "" : ", ") + shortened(name);
  }
  if (count == 0) return;
  warn(options, where + ": left out, beside the model" +
                    (found.prefix.empty() ? "" : " under " + in_quotes(found.prefix)) + ": " +
                    names + (count > kShown ? ", … (" + std::to_string(count) + " tensors)" : ""));
}

/// Labels of another number than the head has classes may be those of other classes.
void check_labels(ModelConfig& config, const LoadOptions& options, const std::string& where) {
  auto& labels = config.labels;
  const auto named = labels.size() - static_cast<size_t>(std::ranges::count(labels, ""));
  const auto classes = static_cast<size_t>(config.vit.head.num_classes);
  if (labels.empty() || (named == classes && labels.size() == classes)) return;
  warn(options, where + ": the config names " + std::to_string(named) +
                    " classes, but the head has " + std::to_string(classes) +
                    ": the names may be those of other classes");
  if (labels.size() > classes) labels.resize(classes);
}

}  // namespace

Checkpoint resolve_checkpoint(StateDict stored, const ConfigOf& config_of,
                              const LoadOptions& options, const std::string& where) {
  auto found = find_model(std::move(stored), where);
  const Layout& layout = *found.layout;
  Checkpoint checkpoint;
  checkpoint.weights = layout.to_timm(found.weights, where);
  // A config that is of another model says what it is better than its tensors.
  const auto or_by_config = [&](const auto& step) {
    try {
      return step();
    } catch (const Error&) {
      if (options.architecture.empty()) config_of(layout);
      throw;
    }
  };
  or_by_config(
      [&] { refuse_other_models(names_of(found.weights), names_of(checkpoint.weights), where); });
  if (!found.choice.empty()) warn(options, where + ": " + found.choice);
  const auto unclear =
      or_by_config([&] { return find_head(checkpoint.weights, found, options, where); });
  set_aside_odd_types(checkpoint.weights, found);
  tell_left_out(found, options, where);
  checkpoint.config =
      choose_config(config_of, checkpoint.weights, found.weights, layout, options, where);
  auto& vit = checkpoint.config.vit;
  shape_patch_embedding(checkpoint.weights, vit.input.channels, vit.patch.size(), where);
  if (layout.settle) layout.settle(vit, checkpoint.weights);
  forget_untrained_family(checkpoint.weights, vit);
  if (options.num_classes)
    choose_head(checkpoint, found.weights, unclear, options, where);
  else if (!unclear.empty())
    leave_out_head(checkpoint, unclear, options, where);

  check_config_fits(vit, checkpoint.weights, found.weights, where);
  check_labels(checkpoint.config, options, where);
  checkpoint.image_size = options.image_size.value_or(vit.image_size());
  // The model is built for the size of its position table and resampled from there.
  vit.set_image_size(image_size_of_weights(vit, checkpoint.image_size, checkpoint.weights, where));
  if (!options.image_size) check_positions(vit, checkpoint.image_size, checkpoint.weights, where);
  auto& labels = checkpoint.config.labels;
  if (labels.empty() && !checkpoint.new_head) {
    labels = imagenet_labels(vit.head.num_classes);
    if (!labels.empty())
      checkpoint.config.assumed.push_back("nothing names its " + std::to_string(labels.size()) +
                                          " classes: those of ImageNet assumed");
  }
  for (const std::string& line : checkpoint.config.assumed) warn(options, where + ": " + line);
  return checkpoint;
}

}  // namespace vit
