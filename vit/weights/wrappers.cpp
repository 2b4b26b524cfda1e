#include <algorithm>
#include <cstring>
#include <iterator>

#include <ATen/ATen.h>

#include <vit/error.h>
#include <vit/weights/layouts/packing.h>
#include <vit/weights/module_names.h>
#include <vit/weights/text.h>
#include <vit/weights/wrappers.h>

namespace vit {
namespace {

// The vision tower of CLIP calls its patch embedding like the first layer of many networks.
constexpr std::string_view kClipConvolution = "conv1.weight";
constexpr std::string_view kClipTower = "visual.";

// The first block of each layout, below the model.
constexpr std::string_view kFirstBlocks[] = {"blocks.0.",
                                             "layers.0.",
                                             "encoder.layer.0.",
                                             "encoder.layers.0.",
                                             "encoder.layers.encoder_layer_0.",
                                             "layer.0.",
                                             "model.layer.0.",
                                             "radio_model.model.blocks.0.",
                                             "transformer.resblocks.0."};

bool has_under(const StateDict& weights, const std::string& start) {
  const auto found = weights.lower_bound(start);
  return found != weights.end() && found->first.starts_with(start);
}

/// A place where a model may lie.
struct Root {
  std::string prefix;    ///< of the model itself: "model.vit."
  size_t outer = 0;      ///< length of what its library does not know: "model."
  bool is_clip = false;  ///< a vision tower of CLIP, whose library calls it "visual"
};

/// The part of the prefix that is not of the model's own library.
size_t outer_length(const std::string& prefix, bool is_clip) {
  if (is_clip) {
    const size_t outer = length_before(prefix, kClipTower);
    return outer == prefix.npos ? prefix.size() : outer;
  }
  return prefix.size() - model_prefix_of(prefix).size();
}

std::vector<Root> find_roots(const StateDict& weights) {
  std::vector<Root> roots;
  for (const auto& [name, tensor] : weights) {
    size_t length = length_before_patch_embedding(name);
    const bool is_clip = length == name.npos;
    if (is_clip) length = length_before_clip_token(name);
    if (length == name.npos) continue;
    const std::string prefix = name.substr(0, length);
    if (!is_clip || weights.contains(prefix + std::string(kClipConvolution)))
      roots.push_back({prefix, outer_length(prefix, is_clip), is_clip});
  }
  // Patch embeddings of something else have no blocks behind them.
  const auto has_blocks = [&](const Root& root) {
    const std::string outer = root.prefix.substr(0, root.outer);
    return std::ranges::any_of(kFirstBlocks, [&](std::string_view block) {
      return has_under(weights, root.prefix + std::string(block)) ||
             has_under(weights, outer + std::string(block));
    });
  };
  if (std::ranges::any_of(roots, has_blocks))
    std::erase_if(roots, [&](const Root& root) { return !has_blocks(root); });
  return roots;
}

bool is_average(const Root& root) {
  // The innermost module that is not the library's tells: "ema.online_model" is none.
  const auto outer = std::string_view(root.prefix).substr(0, root.outer);
  if (outer.empty()) return false;
  const auto path = outer.substr(0, outer.size() - 1);
  return names_average(path.substr(path.rfind('.') + 1));
}

/// What training code puts beside the parts of a model: weights of a loss, states of metrics.
bool is_of_training(std::string_view name) {
  const auto module = name.substr(0, name.find('.'));
  return module == "n_averaged" || module.starts_with("criterion") || module.starts_with("loss") ||
         module.ends_with("_loss") || module.starts_with("metric") || module.ends_with("_metric") ||
         module.ends_with("_metrics") || module.ends_with("_acc") || module == "accuracy";
}

/// Whether two tensors of one shape are surely of one value.
bool same_bytes(const at::Tensor& a, const at::Tensor& b) {
  if (a.scalar_type() != b.scalar_type()) return false;
  if (a.numel() == 0) return true;
  if (a.const_data_ptr() == b.const_data_ptr() && a.strides() == b.strides()) return true;
  return a.is_contiguous() && b.is_contiguous() &&
         std::memcmp(a.const_data_ptr(), b.const_data_ptr(), a.nbytes()) == 0;
}

/// Whether two models have the same tensors, perhaps of other values.
bool same_shapes(const StateDict& weights, const Root& a, const Root& b, bool same_values) {
  size_t count = 0;
  for (auto item = weights.lower_bound(a.prefix);
       item != weights.end() && item->first.starts_with(a.prefix); ++item) {
    const std::string own = item->first.substr(a.prefix.size());
    if (is_of_training(own)) continue;
    ++count;
    const auto twin = weights.find(b.prefix + own);
    if (twin == weights.end() || twin->second.sizes() != item->second.sizes()) return false;
    if (same_values && !same_bytes(twin->second, item->second)) return false;
  }
  return count > 0;
}

std::string shown(const Root& root) {
  return root.prefix.empty() ? "the top" : in_quotes(root.prefix.substr(0, root.prefix.size() - 1));
}

/// The place of the model that is meant.
Root choose_root(const StateDict& weights, const std::vector<Root>& roots, std::string& choice,
                 const std::string& where) {
  if (roots.size() == 1) return roots.front();
  constexpr size_t kShown = 8, kMaxRoots = 64;
  std::string list;
  for (size_t i = 0; i < roots.size() && i < kShown; ++i) list += (i ? ", " : "") + shown(roots[i]);
  if (roots.size() > kShown) list += ", …";
  if (roots.size() > kMaxRoots)
    fail(where, ": holds ", roots.size(), " Vision Transformers, under ", list);
  std::vector<Root> averages;
  std::ranges::copy_if(roots, std::back_inserter(averages), is_average);
  const auto all_like = [&](const Root& chosen, bool same_values) {
    return std::ranges::all_of(
        roots, [&](const Root& root) { return same_shapes(weights, chosen, root, same_values); });
  };
  if (averages.size() == 1 && all_like(averages.front(), false)) {
    choice = "of several Vision Transformers (under " + list +
             ") the running average is taken, under " + shown(averages.front());
    return averages.front();
  }
  if (all_like(roots.front(), true)) return roots.front();
  fail(where, ": holds several Vision Transformers, under ", list,
       "; save the one that is meant alone");
}

StateDict cleaned(StateDict stored, const std::string& where) {
  StateDict weights;
  for (auto& [name, tensor] : stored) {
    auto key = without_wrappers(name);
    const auto [found, is_new] = weights.emplace(std::move(key), tensor);
    const bool is_same =
        is_new || (found->second.sizes() == tensor.sizes() && same_bytes(found->second, tensor));
    if (!is_same)
      fail(where, ": two tensors are ", in_quotes(found->first),
           " without what wrappers put into their names, one of them is ", in_quotes(name));
  }
  return weights;
}

}  // namespace

FoundModel find_model(StateDict stored, const std::string& where) {
  StateDict weights = cleaned(std::move(stored), where);
  FoundModel found;
  const auto roots = find_roots(weights);
  if (roots.empty()) {
    found.layout = &detect_layout(weights);
    found.weights = std::move(weights);
    return found;
  }
  const Root root = choose_root(weights, roots, found.choice, where);
  found.prefix = root.prefix;

  // What the library itself puts in front of the model stays: its layout knows it.
  const std::string outer = root.prefix.substr(0, root.outer);
  const auto is_of_another_model = [&](const std::string& name) {
    return std::ranges::any_of(roots, [&](const Root& other) {
      return other.prefix != root.prefix && name.starts_with(other.prefix) &&
             (!other.prefix.empty() || weights.contains(root.prefix + name));
    });
  };
  StateDict others;
  for (auto& [name, tensor] : weights) {
    if (!name.starts_with(root.prefix)) {
      if (!is_of_another_model(name)) others.emplace(name, tensor);
      continue;
    }
    const std::string own = name.substr(root.prefix.size());
    if (is_of_training(own))
      found.beside.emplace(name, tensor);
    else if (root.is_clip)
      found.weights.emplace(std::string(kClipTower) + own, tensor);
    else
      found.weights.emplace(name.substr(root.outer), tensor);
  }
  found.layout = &detect_layout(found.weights);
  const std::string own_prefix = root.prefix.substr(root.outer);
  const bool is_authors = found.layout == &kAuthorsLayout;
  if ((is_authors || found.layout == &kTimmLayout) && !own_prefix.empty()) {
    // Those authors call it so where their training keeps it; else it is a module in somebody's own
    // code that has the name of a library's.
    StateDict bare;
    for (auto& [name, tensor] : found.weights) bare.emplace(name.substr(own_prefix.size()), tensor);
    found.weights = std::move(bare);
    if (!is_authors) found.layout = &detect_layout(found.weights);
  }
  for (auto& [name, tensor] : others)
    if (found.layout->owns && name.starts_with(outer) &&
        found.layout->owns(std::string_view(name).substr(root.outer)))
      found.weights.emplace(name.substr(root.outer), tensor);
    else
      found.beside.emplace(name, tensor);
  return found;
}

}  // namespace vit
