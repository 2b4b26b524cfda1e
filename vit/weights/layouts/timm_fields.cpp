#include <cmath>
#include <iterator>
#include <string>
#include <utility>

#include <vit/architecture_table.h>
#include <vit/weights/json_values.h>
#include <vit/weights/layouts/names.h>
#include <vit/weights/layouts/picture_json.h>
#include <vit/weights/layouts/timm_fields.h>

namespace vit {
namespace {

constexpr Names<Activation> kActivations[] = {{"gelu", Activation::gelu},
                                              {"gelu_tanh", Activation::gelu_tanh},
                                              {"quick_gelu", Activation::quick_gelu}};
constexpr Names<MlpKind> kMlpKinds[] = {{"mlp", MlpKind::plain},
                                        {"swiglu_packed", MlpKind::swiglu_packed}};
constexpr Names<PositionKind> kPositions[] = {
    {"learn", PositionKind::learned},       {"none", PositionKind::none},
    {"sincos_1d", PositionKind::sincos_1d}, {"sincos_2d", PositionKind::sincos_2d},
    {"sincos_3d", PositionKind::sincos_3d}, {"", PositionKind::none}};
constexpr Names<Pooling> kPoolings[] = {{"token", Pooling::cls}, {"avg", Pooling::avg},
                                        {"max", Pooling::max},   {"avgmax", Pooling::avg_max},
                                        {"map", Pooling::map},   {"", Pooling::none}};
constexpr Names<Pooling> kOwnPoolings[] = {{"cls_avg", Pooling::cls_avg},
                                           {"cls_dist", Pooling::cls_dist}};
constexpr Names<Resampling> kResamplings[] = {{"bicubic_antialias", Resampling::bicubic_antialias},
                                              {"bicubic", Resampling::bicubic}};
constexpr Names<NormKind> kNorms[] = {{"layer_norm", NormKind::layer_norm},
                                      {"rms_norm", NormKind::rms_norm}};
constexpr Names<NormPlace> kNormPlaces[] = {
    {"pre", NormPlace::pre}, {"post", NormPlace::post}, {"res_post", NormPlace::res_post}};
constexpr Names<RotaryLayout> kRotaryLayouts[] = {
    {"interleaved", RotaryLayout::interleaved},
    {"half", RotaryLayout::half},
    {"interleaved_tiled", RotaryLayout::interleaved_tiled}};
constexpr Names<RotaryFrequencies> kRotaryFrequencies[] = {{"axial", RotaryFrequencies::axial},
                                                           {"learned", RotaryFrequencies::learned}};
constexpr Names<RotaryCoordinates> kRotaryCoordinates[] = {
    {"index", RotaryCoordinates::index}, {"centered", RotaryCoordinates::centered}};

/// Json of the name, null if there is none.
template <typename T, std::size_t N>
OrderedJson name_json(const Names<T> (&names)[N], T value) {
  const char* name = name_of(names, value);
  return name ? OrderedJson(name) : OrderedJson(nullptr);
}

// What of a config a field is.
auto& input_channels(VitConfig& c) { return c.input.channels; }
auto& block_dim(VitConfig& c) { return c.block.dim; }
auto& depth(VitConfig& c) { return c.depth; }
auto& block_attention_num_heads(VitConfig& c) { return c.block.attention.num_heads; }
auto& block_attention_qk_norm(VitConfig& c) { return c.block.attention.qk_norm; }
auto& prefix_reg_tokens(VitConfig& c) { return c.prefix.reg_tokens; }
auto& block_norm_eps(VitConfig& c) { return c.block.norm.eps; }
auto& head_pooling(VitConfig& c) { return c.head.pooling; }
auto& positions_resampling(VitConfig& c) { return c.positions.resampling; }
auto& family(VitConfig& c) { return c.family; }
auto& head_bias(VitConfig& c) { return c.head.bias; }
auto& patch_bias(VitConfig& c) { return c.patch.bias; }
auto& input_extent(VitConfig& c) { return c.input.extent; }
auto& patch_kernel(VitConfig& c) { return c.patch.kernel; }
auto& patch_stride(VitConfig& c) { return c.patch.stride; }
auto& head_norm_before(VitConfig& c) { return c.head.norm_before; }
auto& block_norm_kind(VitConfig& c) { return c.block.norm.kind; }
auto& block_norm_place(VitConfig& c) { return c.block.norm_place; }
auto& block_attention_q_bias(VitConfig& c) { return c.block.attention.q_bias; }
auto& block_attention_k_bias(VitConfig& c) { return c.block.attention.k_bias; }
auto& block_attention_v_bias(VitConfig& c) { return c.block.attention.v_bias; }
auto& block_mlp_norm(VitConfig& c) { return c.block.mlp.norm; }

/// What `get` gives of a config, which both reads and writes: a bool or an integer.
template <auto get>
constexpr TimmField field(const char* name) {
  return {name,
          [](TimmDraft& draft, const JsonNode& node) {
            auto& value = get(draft.vit);
            if constexpr (std::is_same_v<std::decay_t<decltype(value)>, bool>)
              value = node.boolean();
            else
              value = count(node);
          },
          [](const VitConfig& c) {
            return std::optional<OrderedJson>(get(const_cast<VitConfig&>(c)));
          }};
}

/// An option that this library has only at one value.
template <bool only>
constexpr TimmField fixed(const char* name) {
  return {name,
          [](TimmDraft&, const JsonNode& node) {
            if (node.boolean() != only)
              node.fail("only ", only ? "true" : "false", " is supported");
          },
          nullptr};
}

OrderedJson sides(Size2d value) {
  if (value.height == value.width) return value.height;
  return OrderedJson::array({value.height, value.width});
}

/// The ratio from which timm computes exactly the hidden channels.
double mlp_ratio(const VitConfig& c) {
  const MlpConfig& mlp = c.block.mlp;
  double ratio =
      static_cast<double>(mlp.gates() * mlp.hidden_dim) / static_cast<double>(c.embed_dim());
  while (mlp_hidden_dim(c.embed_dim(), ratio, mlp.kind) < mlp.hidden_dim)
    ratio = std::nextafter(ratio, INFINITY);
  return ratio;
}

void read_mlp_ratio(TimmDraft& draft, const JsonNode& node) {
  draft.mlp_ratio = node.number();
  if (!(draft.mlp_ratio > 0 && draft.mlp_ratio <= 1000))
    node.fail(draft.mlp_ratio, " is out of range, expected above 0 and at most 1000");
}

constexpr TimmField kTimmFields[] = {
    {"img_size",
     [](TimmDraft& draft, const JsonNode& node) { draft.vit.set_image_size(parse_size(node)); },
     [](const VitConfig& c) { return std::optional(sides(c.image_size())); }},
    {"patch_size",
     [](TimmDraft& draft, const JsonNode& node) { draft.vit.patch.set_size(parse_size(node)); },
     [](const VitConfig& c) { return std::optional(sides(c.patch.size())); }},
    field<input_channels>("in_chans"),
    field<block_dim>("embed_dim"),
    field<depth>("depth"),
    field<block_attention_num_heads>("num_heads"),
    {"mlp_ratio", read_mlp_ratio,
     [](const VitConfig& c) { return std::optional<OrderedJson>(mlp_ratio(c)); }},
    {"qkv_bias",
     [](TimmDraft& draft, const JsonNode& node) {
       draft.vit.block.attention.set_qkv_bias(node.boolean());
     },
     [](const VitConfig& c) {
       return std::optional<OrderedJson>(c.block.attention.has_qkv_bias());
     }},
    field<block_attention_qk_norm>("qk_norm"),
    {"class_token",
     [](TimmDraft& draft, const JsonNode& node) { draft.vit.prefix.cls_tokens = node.boolean(); },
     [](const VitConfig& c) { return std::optional<OrderedJson>(c.prefix.cls_tokens > 0); }},
    field<prefix_reg_tokens>("reg_tokens"),
    {"no_embed_class",
     [](TimmDraft& draft, const JsonNode& node) {
       draft.vit.positions.covers_prefix = !node.boolean();
     },
     [](const VitConfig& c) { return std::optional<OrderedJson>(!c.positions.covers_prefix); }},
    {"pre_norm",
     [](TimmDraft& draft, const JsonNode& node) {
       draft.vit.pre_norm = node.boolean();
       draft.vit.patch.bias = !draft.vit.pre_norm;  // which that norm would cancel
     },
     [](const VitConfig& c) { return std::optional<OrderedJson>(c.pre_norm); }},
    {"final_norm",
     [](TimmDraft& draft, const JsonNode& node) { draft.final_norm = node.boolean(); },
     [](const VitConfig& c) {
       return std::optional<OrderedJson>(c.head.norm_before || c.head.norm_after);
     }},
    {"fc_norm", [](TimmDraft& draft, const JsonNode& node) { draft.fc_norm = node.boolean(); },
     [](const VitConfig& c) { return std::optional<OrderedJson>(c.head.norm_after); }},
    {"global_pool",
     [](TimmDraft& draft, const JsonNode& node) {
       draft.vit.head.pooling = parse_timm_pooling(node);
     },
     [](const VitConfig& c) {
       return std::optional<OrderedJson>(timm_pooling_name(c.head.pooling));
     }},
    {"init_values",
     [](TimmDraft& draft, const JsonNode& node) {
       node.number();
       draft.vit.block.layer_scale = true;
     },
     [](const VitConfig& c) {
       return std::optional(c.block.layer_scale ? OrderedJson(1e-5) : OrderedJson(nullptr));
     }},
    {"pool_include_prefix",
     [](TimmDraft& draft, const JsonNode& node) { draft.vit.head.pool_prefix = node.boolean(); },
     [](const VitConfig& c) {
       return c.head.pool_prefix ? std::optional<OrderedJson>(true) : std::nullopt;
     }},
    {"pos_embed",
     [](TimmDraft& draft, const JsonNode& node) {
       draft.vit.positions.kind = choose(node, kPositions);
     },
     [](const VitConfig& c) {
       return c.positions.kind == PositionKind::learned
                  ? std::nullopt
                  : std::optional(name_json(kPositions, c.positions.kind));
     }},
    {"act_layer", [](TimmDraft& draft, const JsonNode& node) { draft.activation = node; },
     [](const VitConfig& c) {
       return c.block.mlp.kind == MlpKind::plain
                  ? std::optional(name_json(kActivations, c.block.mlp.activation))
                  : std::nullopt;
     }},
    {"num_classes",
     [](TimmDraft& draft, const JsonNode& node) { draft.vit.head.num_classes = count(node); },
     nullptr},
    {"mlp_layer",
     [](TimmDraft& draft, const JsonNode& node) {
       draft.vit.block.mlp.kind = choose(node, kMlpKinds);
     },
     nullptr},
    {"norm_layer",
     [](TimmDraft& draft, const JsonNode& node) {
       constexpr Names<double> kEps[] = {{"layernorm", 1e-6}, {"layernormfp32", 1e-6}};
       draft.vit.block.norm.eps = choose(node, kEps);
     },
     nullptr},
    {"dynamic_img_pad",
     [](TimmDraft& draft, const JsonNode& node) {
       // Where the patches cover the image there is nothing to pad.
       if (node.boolean()) draft.padded = node;
     },
     nullptr},
    fixed<true>("proj_bias"),
    fixed<false>("scale_attn_norm"),
    fixed<false>("scale_mlp_norm"),
};

OrderedJson extent_json(const Extent& e) { return OrderedJson::array({e.frames, e.rows, e.cols}); }

Extent parse_extent(const JsonNode& node) {
  const auto axes = node.elements();
  if (axes.size() != 3) node.fail("expected [frames, rows, columns]");
  return {count(axes[0]), count(axes[1]), count(axes[2])};
}

OrderedJson rotary_json(const std::optional<RotaryConfig>& rotary) {
  if (!rotary) return nullptr;
  const auto& [layout, coordinates, frequencies, axes, base, offset, rows, cols, columns_first,
               class_angles] = *rotary;
  return {{"layout", name_json(kRotaryLayouts, layout)},
          {"coordinates", name_json(kRotaryCoordinates, coordinates)},
          {"frequencies", name_json(kRotaryFrequencies, frequencies)},
          {"axes", axes},
          {"base", base},
          {"offset", offset},
          {"reference_grid", OrderedJson::array({rows, cols})},
          {"columns_first", columns_first},
          {"class_angles", class_angles}};
}

RotaryConfig parse_rotary(const JsonNode& node) {
  RotaryConfig rotary;
  rotary.layout = choose(node.at("layout"), kRotaryLayouts);
  rotary.coordinates = choose(node.at("coordinates"), kRotaryCoordinates);
  rotary.base = node.at("base").number();
  rotary.offset = node.at("offset").number();
  const auto reference = node.at("reference_grid");
  const Size2d grid = parse_size(reference);
  rotary.reference_rows = grid.height;
  rotary.reference_cols = grid.width;
  rotary.columns_first = node.at("columns_first").boolean();
  // Not in documents of earlier versions.
  if (const auto value = node.find("frequencies"))
    rotary.frequencies = choose(*value, kRotaryFrequencies);
  if (const auto value = node.find("axes")) rotary.axes = count(*value);
  if (const auto value = node.find("class_angles")) rotary.class_angles = value->boolean();
  return rotary;
}

/// What `get` gives of a config: a bool, a number, a text or an extent.
template <auto get>
constexpr ExtensionField own(const char* name) {
  using Value = std::decay_t<decltype(get(std::declval<VitConfig&>()))>;
  return {name,
          [](VitConfig& c, const JsonNode& node) {
            if constexpr (std::is_same_v<Value, bool>)
              get(c) = node.boolean();
            else if constexpr (std::is_same_v<Value, double>)
              get(c) = node.number();
            else if constexpr (std::is_same_v<Value, std::string>)
              get(c) = shortened(node.string());
            else if constexpr (std::is_same_v<Value, Extent>)
              get(c) = parse_extent(node);
            else
              get(c) = count(node);
          },
          [](const VitConfig& c) -> OrderedJson {
            const Value& value = get(const_cast<VitConfig&>(c));
            if constexpr (std::is_same_v<Value, Extent>)
              return extent_json(value);
            else
              return value;
          }};
}

/// Likewise a value of an enumeration.
template <auto& names, auto get>
constexpr ExtensionField named(const char* name) {
  return {name, [](VitConfig& c, const JsonNode& node) { get(c) = choose(node, names); },
          [](const VitConfig& c) { return name_json(names, get(const_cast<VitConfig&>(c))); }};
}

constexpr ExtensionField kExtensionFields[] = {
    own<block_norm_eps>("norm_eps"),
    named<kOwnPoolings, head_pooling>("global_pool"),
    named<kResamplings, positions_resampling>("resampling"),
    own<family>("family"),
    {"dist_head",
     [](VitConfig& c, const JsonNode& node) { c.head.token_heads = node.boolean() ? 2 : 1; },
     [](const VitConfig& c) -> OrderedJson { return c.head.token_heads == 2; }},
    own<head_bias>("head_bias"),
    own<patch_bias>("patch_bias"),
    own<input_extent>("input_extent"),
    own<patch_kernel>("patch_kernel"),
    own<patch_stride>("patch_stride"),
    own<head_norm_before>("norm_before_pool"),
    named<kNorms, block_norm_kind>("norm"),
    named<kNormPlaces, block_norm_place>("norm_place"),
    own<block_attention_q_bias>("q_bias"),
    own<block_attention_k_bias>("k_bias"),
    own<block_attention_v_bias>("v_bias"),
    own<block_mlp_norm>("mlp_norm"),
    {"preprocessing",
     [](VitConfig& c, const JsonNode& node) { read_picture_extension(node, c.picture()); },
     [](const VitConfig& c) { return picture_extension_json(c.picture()); }},
    {"rotary",
     [](VitConfig& c, const JsonNode& node) { c.block.attention.rotary = parse_rotary(node); },
     [](const VitConfig& c) { return rotary_json(c.block.attention.rotary); }},
};

}  // namespace

std::span<const TimmField> timm_fields() { return kTimmFields; }

std::span<const ExtensionField> extension_fields() { return kExtensionFields; }

Pooling parse_timm_pooling(const JsonNode& node) { return choose(node, kPoolings); }

Activation parse_timm_activation(const JsonNode& node) { return choose(node, kActivations); }

const char* timm_pooling_name(Pooling pooling) {
  const char* name = name_of(kPoolings, pooling);
  return name ? name : "token";
}

}  // namespace vit
