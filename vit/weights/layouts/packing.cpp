#include <algorithm>
#include <iterator>
#include <string_view>
#include <vector>

#include <ATen/ATen.h>

#include <vit/error.h>
#include <vit/weights/layouts/packing.h>
#include <vit/weights/shape.h>
#include <vit/weights/text.h>

namespace vit {
namespace {

// What stands in front of the tensors of a model (not of its head) unless it was saved alone.
constexpr std::string_view kModelPrefixes[] = {
    "vit.",      "deit.",         "dinov2.",    "dinov2_with_registers.", "ijepa.", "vision_model.",
    "backbone.", "visual.trunk.", "timm_model."};

/// Packs blocks.N.attn.{q,k,v} into blocks.N.attn.qkv.
void pack_attention(StateDict& weights, const std::string& where) {
  std::vector<std::string> stems;
  for (const auto& [name, tensor] : weights)
    if (name.starts_with("blocks.") && name.ends_with(".attn.q.weight"))
      stems.push_back(name.substr(0, name.size() - std::string_view("q.weight").size()));
  for (const auto& stem : stems)
    for (const std::string kind : {"weight", "bias"}) {
      auto q = take(weights, stem + "q." + kind), k = take(weights, stem + "k." + kind),
           v = take(weights, stem + "v." + kind);
      if (kind == "bias" && !q.defined() && !k.defined() && !v.defined()) continue;
      if (kind == "bias" && q.defined() && !k.defined()) k = at::zeros_like(q);
      if (!q.defined() || !k.defined() || !v.defined())
        fail(where, ": \"", stem, "\" has no complete ", kind, " of query, key and value");
      if (q.dim() == 0 || q.sizes() != k.sizes() || q.sizes() != v.sizes() ||
          q.scalar_type() != k.scalar_type() || q.scalar_type() != v.scalar_type())
        fail(where, ": the ", kind, " of query, key and value of \"", stem,
             "\" differ in shape or type: ", shape_text(q.sizes()), ", ", shape_text(k.sizes()),
             ", ", shape_text(v.sizes()));
      weights.emplace(stem + "qkv." + kind, at::cat({q, k, v}));
    }
}

/// Puts the two halves of a gated MLP's first layer into one: blocks.N.mlp.{gate,up} into
/// blocks.N.mlp.fc1.
void pack_gates(StateDict& weights, const std::string& where) {
  std::vector<std::string> gates;
  for (const auto& [name, tensor] : weights)
    if (name.starts_with("blocks.") && name.find(".mlp.gate.") != name.npos) gates.push_back(name);
  for (const auto& name : gates) {
    const size_t part = name.find(".gate.");
    const std::string stem = name.substr(0, part + 1), kind = name.substr(part + 6);
    const auto gate = take(weights, name), up = take(weights, stem + "up." + kind);
    if (!up.defined() || gate.dim() == 0 || gate.sizes() != up.sizes() ||
        gate.scalar_type() != up.scalar_type())
      fail(where, ": \"", stem, "\" has no two halves of one shape and type for its ", kind);
    weights.emplace(stem + "fc1." + kind, at::cat({gate, up}));
  }
}

/// attn_pool.qkv (nn.MultiheadAttention's packing) -> attn_pool.q and attn_pool.kv.
void split_attention_pool(StateDict& weights, const std::string& where) {
  for (const std::string kind : {"weight", "bias"}) {
    const auto packed = take(weights, "attn_pool.qkv." + kind);
    if (!packed.defined()) continue;
    if (packed.dim() == 0 || packed.size(0) % 3)
      fail(where, ": the attention pool's packed ", kind, " has shape ", shape_text(packed.sizes()),
           ", expected three equal parts");
    const int64_t dim = packed.size(0) / 3;
    weights["attn_pool.q." + kind] = packed.slice(0, 0, dim);
    weights["attn_pool.kv." + kind] = packed.slice(0, dim);
  }
}

void add_batch_dims(StateDict& weights) {
  for (const char* name : {"cls_token", "dist_token", "reg_token", "pos_embed"})
    if (const auto found = weights.find(name); found != weights.end())
      while (found->second.dim() >= 1 && found->second.dim() < 3)
        found->second = found->second.unsqueeze(0);
}

}  // namespace

bool has_in_model(const StateDict& weights, const std::string& name) {
  return weights.contains(name) ||
         std::any_of(std::begin(kModelPrefixes), std::end(kModelPrefixes),
                     [&](auto prefix) { return weights.contains(std::string(prefix) + name); });
}

std::string_view model_prefix_of(std::string_view prefix) {
  for (const auto known : kModelPrefixes)
    if (prefix.ends_with(known) &&
        (prefix.size() == known.size() || prefix[prefix.size() - known.size() - 1] == '.'))
      return known;
  return {};
}

StateDict without_model_prefix(const StateDict& weights, const std::string& where) {
  StateDict bare;
  for (const auto& [name, tensor] : weights) {
    std::string key = name;
    for (const auto prefix : kModelPrefixes)
      if (key.starts_with(prefix)) {
        key.erase(0, prefix.size());
        break;
      }
    if (!bare.emplace(key, tensor).second)
      fail(where, ": both \"", key, "\" and \"", name, "\" are there");
  }
  return bare;
}

at::Tensor take(StateDict& weights, const std::string& name) {
  const auto found = weights.find(name);
  if (found == weights.end()) return {};
  auto tensor = std::move(found->second);
  weights.erase(found);
  return tensor;
}

StateDict rename_and_pack(const StateDict& weights, std::span<const KeyRule> rules,
                          const std::string& where) {
  auto renamed = rename_keys(weights, rules, where);
  add_batch_dims(renamed);
  pack_attention(renamed, where);
  pack_gates(renamed, where);
  split_attention_pool(renamed, where);
  return renamed;
}

void fold_class_position(StateDict& weights) {
  const auto table = weights.find("pos_embed"), cls = weights.find("cls_token");
  if (!weights.contains("reg_token") || table == weights.end() || cls == weights.end()) return;
  const auto &positions = table->second, &token = cls->second;
  if (positions.dim() != 3 || positions.size(1) < 2 || token.dim() != 3 || token.size(1) != 1 ||
      token.size(2) != positions.size(2) || !is_type_of_weights(positions.scalar_type()) ||
      !is_type_of_weights(token.scalar_type()))
    return;  // reported when shapes and types are compared with the model's
  // In float32, as the library adds them after they are converted.
  cls->second = token.to(at::kFloat) + positions.slice(1, 0, 1).to(at::kFloat);
  table->second = positions.slice(1, 1).contiguous();
}

}  // namespace vit
