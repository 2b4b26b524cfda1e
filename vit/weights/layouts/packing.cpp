#include <algorithm>
#include <iterator>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include <ATen/ATen.h>

#include <vit/error.h>
#include <vit/limits.h>
#include <vit/weights/layouts/packing.h>
#include <vit/weights/shape.h>
#include <vit/weights/text.h>

namespace vit {
namespace {

// What stands in front of the tensors of a model (not of its head) unless it was saved alone.
constexpr std::string_view kModelPrefixes[] = {"vit.",
                                               "deit.",
                                               "dinov2.",
                                               "dinov2_with_registers.",
                                               "ijepa.",
                                               "beit.",
                                               "data2vec_vision.",
                                               "git.image_encoder.vision_model.",
                                               "owlvit.vision_model.",
                                               "owlv2.vision_model.",
                                               "vision_model.",
                                               "model.vision_tower.",
                                               "vision_tower.",
                                               "flava.image_model.",
                                               "image_model.",
                                               "backbone.",
                                               "visual.trunk.",
                                               "timm_model."};

/// One tensor of query, key and value each; undefined where the file has none.
struct Parts {
  at::Tensor q, k, v;

  int count() const { return int{q.defined()} + int{k.defined()} + int{v.defined()}; }
  const at::Tensor& any() const { return q.defined() ? q : k.defined() ? k : v; }
};

Parts find_parts(const StateDict& weights, const std::string& stem, const std::string& kind) {
  const auto find = [&](const char* part) {
    const auto found = weights.find(stem + part + kind);
    return found == weights.end() ? at::Tensor() : found->second;
  };
  return {find("q."), find("k."), find("v.")};
}

/// Keys and values may have fewer rows than queries, which have other heads then.
bool fit_together(const Parts& parts) {
  const auto& [q, k, v] = parts;
  return q.dim() > 0 && q.dim() == k.dim() && k.sizes() == v.sizes() &&
         q.sizes().slice(1) == k.sizes().slice(1) && q.scalar_type() == k.scalar_type() &&
         q.scalar_type() == v.scalar_type();
}

void put_packed(StateDict& weights, const std::string& stem, const std::string& kind,
                const Parts& parts, const std::string& where) {
  const auto& [q, k, v] = parts;
  if (!fit_together(parts))
    fail(where, ": the ", kind, " of query, key and value of \"", stem,
         "\" differ in shape or type: ", shape_text(q.sizes()), ", ", shape_text(k.sizes()), ", ",
         shape_text(v.sizes()));
  for (const char* part : {"q.", "k.", "v."}) weights.erase(stem + part + kind);
  if (!weights.emplace(stem + "qkv." + kind, at::cat({q, k, v})).second)
    fail(where, ": \"", stem, "\" has a ", kind,
         " of query, key and value together and one of each");
}

/// Rows of the projections of query and of key, by their weights or else by any of their biases.
std::pair<int64_t, int64_t> projection_rows(const StateDict& weights, const std::string& stem,
                                            const Parts& weight, const Parts& bias) {
  const auto rows = [](const at::Tensor& tensor) { return tensor.dim() ? tensor.size(0) : 0; };
  if (weight.count() == 3) return {rows(weight.q), rows(weight.k)};
  if (const auto packed = weights.find(stem + "qkv.weight"); packed != weights.end())
    return {rows(packed->second) / 3, rows(packed->second) / 3};
  return {rows(bias.any()), rows(bias.any())};
}

/// Zeros stand for those of three biases that are not there.
void fill_biases(Parts& bias, std::pair<int64_t, int64_t> rows, const std::string& stem,
                 const std::string& where) {
  const auto [q_rows, k_rows] = rows;
  if (std::max(q_rows, k_rows) > kMaxDim * 4)
    fail(where, ": queries of \"", stem, "\" of ", std::max(q_rows, k_rows),
         " channels cannot be right");
  const auto options = bias.any().options();
  const auto fill = [&](at::Tensor& part, int64_t count) {
    if (!part.defined()) part = at::zeros({count}, options);
  };
  fill(bias.q, q_rows);
  fill(bias.k, k_rows);
  fill(bias.v, k_rows);
}

/// Packs blocks.N.attn.{q,k,v} into blocks.N.attn.qkv; there may be biases apart beside a packed
/// weight.
void pack_attention(StateDict& weights, const std::string& where) {
  std::set<std::string> stems;
  for (const auto& [name, tensor] : weights)
    for (const std::string_view part : {"q.weight", "q.bias", "k.bias", "v.bias"})
      if (name.starts_with("blocks.") && name.ends_with(part))
        if (const auto stem = std::string_view(name).substr(0, name.size() - part.size());
            stem.ends_with(".attn."))
          stems.emplace(stem);
  for (const auto& stem : stems) {
    const auto weight = find_parts(weights, stem, "weight");
    if (weight.count() == 1) continue;  // somebody else's query: reported as unexpected
    if (weight.count() == 2)
      fail(where, ": \"", stem, "\" has no complete weight of query, key and value");
    auto bias = find_parts(weights, stem, "bias");
    const auto rows = projection_rows(weights, stem, weight, bias);
    if (weight.count()) put_packed(weights, stem, "weight", weight, where);
    if (!bias.count()) continue;
    fill_biases(bias, rows, stem, where);
    put_packed(weights, stem, "bias", bias, where);
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

const at::Tensor* find_in_model(const StateDict& weights, const std::string& name) {
  if (const auto found = weights.find(name); found != weights.end()) return &found->second;
  for (const auto prefix : kModelPrefixes)
    if (const auto found = weights.find(std::string(prefix) + name); found != weights.end())
      return &found->second;
  return nullptr;
}

bool has_in_model(const StateDict& weights, const std::string& name) {
  return find_in_model(weights, name) != nullptr;
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

void pack_branches(StateDict& weights, const std::string& where) {
  pack_attention(weights, where);
  pack_gates(weights, where);
}

StateDict rename_and_pack(const StateDict& weights, std::span<const KeyRule> rules,
                          const std::string& where) {
  auto renamed = rename_keys(weights, rules, where);
  if (const auto none = renamed.find("reg_token");
      none != renamed.end() && none->second.numel() == 0)
    renamed.erase(none);
  add_batch_dims(renamed);
  pack_branches(renamed, where);
  split_attention_pool(renamed, where);
  return renamed;
}

void shape_patch_embedding(StateDict& weights, int64_t channels, Size2d kernel,
                           const std::string& where) {
  const auto found = weights.find("patch_embed.proj.weight");
  if (found == weights.end() || found->second.dim() != 2) return;
  auto& weight = found->second;
  const auto [rows, columns] = kernel;
  const bool is_possible = channels >= 1 && channels <= kMaxDim && rows >= 1 &&
                           rows <= kMaxImageSide && columns >= 1 && columns <= kMaxImageSide;
  if (!is_possible || weight.size(1) != channels * rows * columns)
    fail(where, ": the linear patch embedding has shape ", shape_text(weight.sizes()),
         ", which is not of patches of ", rows, "x", columns, " pixels of ", channels, " channels");
  weight = weight.reshape({weight.size(0), rows, columns, channels}).permute({0, 3, 1, 2});
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
