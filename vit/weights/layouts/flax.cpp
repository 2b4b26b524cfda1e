#include <array>
#include <optional>
#include <set>

#include <ATen/ATen.h>

#include <vit/error.h>
#include <vit/weights/layouts/layout.h>
#include <vit/weights/text.h>

namespace vit {
namespace {

// Where training states keep the model.
constexpr const char* kPrefixes[] = {"", "params/", "opt/target/"};

/// The prefix under which a model lies; nothing if there is none.
std::optional<std::string> find_prefix(const StateDict& weights) {
  for (const std::string prefix : kPrefixes)
    if (weights.contains(prefix + "embedding/kernel") &&
        weights.contains(prefix + "Transformer/encoder_norm/scale"))
      return prefix;
  return std::nullopt;
}

/// Takes tensors out of a Flax checkpoint one by one and puts them under timm's names.
class FlaxConverter {
 public:
  FlaxConverter(const StateDict& weights, const std::string& where)
      : weights_(weights), where_(where) {}

  StateDict convert();

 private:
  at::Tensor take(const std::string& name, int64_t dims) {
    const auto found = weights_.find(name);
    if (found == weights_.end()) fail(where_, ": no tensor \"", name, "\"");
    if (found->second.dim() != dims)
      fail(where_, ": tensor \"", name, "\" has shape ", shape_text(found->second.sizes()),
           ", expected ", dims, " dims");
    taken_.insert(name);
    return found->second;
  }
  bool has(const std::string& name) const { return weights_.contains(name); }

  void norm(const std::string& from, const std::string& to) {
    result_[to + ".weight"] = take(from + "/scale", 1);
    result_[to + ".bias"] = take(from + "/bias", 1);
  }
  /// Kernels are stored input-first.
  void linear(const std::string& from, const std::string& to) {
    result_[to + ".weight"] = take(from + "/kernel", 2).t();
    result_[to + ".bias"] = take(from + "/bias", 1);
  }
  void attention(const std::string& from, const std::string& to);
  void block(const std::string& from, const std::string& to);

  const StateDict& weights_;
  const std::string& where_;
  std::set<std::string> taken_;
  StateDict result_;
};

void FlaxConverter::attention(const std::string& from, const std::string& to) {
  std::array<at::Tensor, 3> kernels, biases;
  const std::array<const char*, 3> parts{"/query", "/key", "/value"};
  for (size_t i = 0; i < parts.size(); ++i) {
    kernels[i] = take(from + parts[i] + "/kernel", 3).flatten(1).t();  // [dim, heads, head_dim]
    biases[i] = take(from + parts[i] + "/bias", 2).flatten();
    if (kernels[i].sizes() != kernels[0].sizes() || biases[i].sizes() != biases[0].sizes() ||
        kernels[i].scalar_type() != kernels[0].scalar_type())
      fail(where_, ": query, key and value of ", from, " differ in shape");
  }
  result_[to + ".qkv.weight"] = at::cat(at::TensorList(kernels), 0);
  result_[to + ".qkv.bias"] = at::cat(at::TensorList(biases), 0);
  result_[to + ".proj.weight"] = take(from + "/out/kernel", 3).flatten(0, 1).t();
  result_[to + ".proj.bias"] = take(from + "/out/bias", 1);
}

void FlaxConverter::block(const std::string& from, const std::string& to) {
  // Modules are numbered in the order in which the code creates them: by one counter in the
  // original code, per class in big_vision.
  const bool per_class = has(from + "/LayerNorm_1/scale");
  norm(from + "/LayerNorm_0", to + ".norm1");
  attention(
      from + (per_class ? "/MultiHeadDotProductAttention_0" : "/MultiHeadDotProductAttention_1"),
      to + ".attn");
  norm(from + (per_class ? "/LayerNorm_1" : "/LayerNorm_2"), to + ".norm2");
  const std::string mlp = from + (per_class ? "/MlpBlock_0" : "/MlpBlock_3");
  linear(mlp + "/Dense_0", to + ".mlp.fc1");
  linear(mlp + "/Dense_1", to + ".mlp.fc2");
}

StateDict FlaxConverter::convert() {
  result_["patch_embed.proj.weight"] = take("embedding/kernel", 4).permute({3, 2, 0, 1});
  result_["patch_embed.proj.bias"] = take("embedding/bias", 1);
  if (has("cls")) result_["cls_token"] = take("cls", 3);
  if (has("Transformer/posembed_input/pos_embedding"))
    result_["pos_embed"] = take("Transformer/posembed_input/pos_embedding", 3);
  for (int64_t i = 0; has("Transformer/encoderblock_" + std::to_string(i) + "/LayerNorm_0/scale");
       ++i)
    block("Transformer/encoderblock_" + std::to_string(i), "blocks." + std::to_string(i));
  norm("Transformer/encoder_norm", "norm");
  if (has("head/kernel")) linear("head", "head");
  for (const auto& [name, tensor] : weights_)
    if (!taken_.contains(name)) result_.emplace(name, tensor);
  return std::move(result_);
}

/// Whether the names, with slashes, are those of google-research/vision_transformer or big_vision
/// (AugReg, arXiv 2106.10270), alone or within a training state.
bool detect(const StateDict& weights) { return find_prefix(weights).has_value(); }

/// What has no counterpart keeps its name, so that it is reported and not lost.
StateDict to_timm(const StateDict& weights, const std::string& where) {
  const std::string prefix = find_prefix(weights).value_or("");
  StateDict model;
  for (const auto& [name, tensor] : weights)
    if (name.starts_with(prefix)) model.emplace(name.substr(prefix.size()), tensor);
  return FlaxConverter(model, where).convert();
}

void apply_defaults(const StateDict&, VitConfig& config) { config.family = "augreg"; }

}  // namespace

const Layout kFlaxLayout{"flax", "Flax", detect, to_timm, apply_defaults};

}  // namespace vit
