#include <cmath>
#include <iterator>
#include <string>
#include <utility>

#include <vit/weights/json_values.h>
#include <vit/weights/layouts/names.h>
#include <vit/weights/layouts/timm_fields.h>

namespace vit {
namespace {

constexpr Names<Activation> kActivations[] = {{"gelu", Activation::gelu},
                                              {"gelu_tanh", Activation::gelu_tanh},
                                              {"quick_gelu", Activation::quick_gelu},
                                              {"silu", Activation::silu}};
constexpr Names<TimmMlp> kMlps[] = {
    {"mlp", TimmMlp::plain}, {"swiglu_packed", TimmMlp::glu}, {"swiglu", TimmMlp::swiglu}};
constexpr Names<PositionKind> kPositions[] = {
    {"learn", PositionKind::learned},       {"none", PositionKind::none},
    {"sincos_1d", PositionKind::sincos_1d}, {"sincos_2d", PositionKind::sincos_2d},
    {"sincos_3d", PositionKind::sincos_3d}, {"", PositionKind::none}};
constexpr Names<Pooling> kPoolings[] = {{"token", Pooling::cls}, {"avg", Pooling::avg},
                                        {"max", Pooling::max},   {"avgmax", Pooling::avg_max},
                                        {"map", Pooling::map},   {"", Pooling::none}};
constexpr Names<NormConfig> kNorms[] = {{"layernorm", {NormKind::layer_norm, 1e-6}},
                                        {"layernormfp32", {NormKind::layer_norm, 1e-6}},
                                        {"rmsnorm", {NormKind::rms_norm, 1e-6}}};
constexpr Names<TimmAttention> kAttentions[] = {{"standard", TimmAttention::standard},
                                                {"eva", TimmAttention::eva},
                                                {"rope", TimmAttention::rope}};
constexpr Names<TimmRope> kRopes[] = {
    {"cat", TimmRope::cat}, {"mixed", TimmRope::mixed}, {"dinov3", TimmRope::dinov3}};
constexpr Names<TimmRope> kNaflexRopes[] = {
    {"axial", TimmRope::cat}, {"mixed", TimmRope::mixed}, {"dinov3", TimmRope::dinov3}};
constexpr Names<TimmRelPos> kRelPos[] = {{"mlp", TimmRelPos::mlp}, {"bias", TimmRelPos::bias}};

constexpr unsigned kVit =
    class_bit(TimmClass::vision_transformer) | class_bit(TimmClass::distilled);
constexpr unsigned kEva = class_bit(TimmClass::eva);
constexpr unsigned kBeit = class_bit(TimmClass::beit);
constexpr unsigned kNaflex = class_bit(TimmClass::naflex);
constexpr unsigned kRelpos = class_bit(TimmClass::relpos);
constexpr unsigned kAll = kVit | kEva | kBeit | kNaflex | kRelpos;

using A = TimmArguments;

/// A member of the arguments: a bool, an integer or a number.
template <auto member>
void read_member(TimmDraft& draft, const JsonNode& node) {
  auto& value = draft.arguments.*member;
  using Value = std::decay_t<decltype(value)>;
  if constexpr (std::is_same_v<Value, bool> || std::is_same_v<Value, std::optional<bool>>)
    value = node.boolean();
  else
    value = count(node);
}

template <auto member>
void reset_member(TimmDraft& draft) {
  draft.arguments.*member = {};
}

template <auto member>
std::optional<OrderedJson> write_member(const A& a) {
  return a.*member;
}

template <auto member>
constexpr TimmField field(const char* name, unsigned classes, unsigned always = 0) {
  return {name, classes, read_member<member>, nullptr, write_member<member>, always};
}

/// One that may be unset, which is null.
template <auto member>
constexpr TimmField bool_or_null(const char* name, unsigned classes, unsigned always = 0) {
  return {name,
          classes,
          read_member<member>,
          reset_member<member>,
          [](const A& a) {
            const auto& value = a.*member;
            return std::optional<OrderedJson>(value ? OrderedJson(*value) : OrderedJson(nullptr));
          },
          always};
}

/// A number of which 0 is null.
template <auto member>
constexpr TimmField number_or_null(const char* name, unsigned classes) {
  return {name, classes, read_member<member>, reset_member<member>, [](const A& a) {
            const auto value = a.*member;
            return std::optional<OrderedJson>(value ? OrderedJson(value) : OrderedJson(nullptr));
          }};
}

template <auto member, auto& names>
constexpr TimmField named(const char* name, unsigned classes) {
  return {
      name, classes,
      [](TimmDraft& draft, const JsonNode& node) { draft.arguments.*member = choose(node, names); },
      nullptr, [](const A& a) { return std::optional<OrderedJson>(name_of(names, a.*member)); }};
}

/// An option that this library has only at one value.
template <bool only>
constexpr TimmField fixed(const char* name, unsigned classes) {
  return {name, classes, [](TimmDraft&, const JsonNode& node) {
            if (node.boolean() != only)
              node.fail("only ", only ? "true" : "false", " is supported");
          }};
}

OrderedJson sides(Size2d value) {
  if (value.height == value.width) return value.height;
  return OrderedJson::array({value.height, value.width});
}

/// A grid of patches, which has some.
Size2d parse_grid(const JsonNode& node) {
  const Size2d grid = parse_size(node);
  if (grid.height < 1 || grid.width < 1)
    node.fail("a grid of ", grid.height, "x", grid.width, " has no patches, expected at least 1x1");
  return grid;
}

template <auto member>
constexpr TimmField grid(const char* name, unsigned classes) {
  return {
      name, classes,
      [](TimmDraft& draft, const JsonNode& node) { draft.arguments.*member = parse_grid(node); },
      reset_member<member>,
      [](const A& a) {
        const Size2d grid = a.*member;
        return std::optional<OrderedJson>(grid.height ? OrderedJson{grid.height, grid.width}
                                                      : OrderedJson(nullptr));
      }};
}

double parse_ratio(const JsonNode& node) {
  const double ratio = node.number();
  if (!(ratio > 0 && ratio <= 1000))
    node.fail(ratio, " is out of range, expected above 0 and at most 1000");
  return ratio;
}

/// A switch of how a table of positions is resized.
template <auto member>
constexpr TimmField resizing(const char* name) {
  return {name, kNaflex,
          [](TimmDraft& draft, const JsonNode& node) {
            read_member<member>(draft, node);
            draft.positions = node;
          },
          nullptr, write_member<member>};
}

void read_kv_heads(TimmDraft& draft, const JsonNode& node) {
  auto& heads = draft.arguments.num_kv_heads;
  heads.clear();
  draft.kv_heads = node;
  if (!node.is_array()) {
    heads = {count(node)};
    return;
  }
  for (const JsonNode& element : node.elements()) heads.push_back(count(element));
  if (heads.empty()) node.fail("expected a number of heads, or one for each block");
}

std::optional<OrderedJson> write_kv_heads(const A& a) {
  if (a.num_kv_heads.empty()) return OrderedJson(nullptr);
  return a.num_kv_heads.size() == 1 ? OrderedJson(a.num_kv_heads[0]) : OrderedJson(a.num_kv_heads);
}

/// That of another base turns angles backwards, or not at all.
double parse_temperature(const JsonNode& node) {
  const double base = node.number();
  if (!(std::isfinite(base) && base > 0))
    node.fail(base, " is no base of rotary positions, expected a positive number");
  return base;
}

double parse_offset(const JsonNode& node) {
  const double offset = node.number();
  if (!(std::isfinite(offset) && std::abs(offset) <= 1e6))
    node.fail(offset, " is out of range, expected -1000000 to 1000000");
  return offset;
}

constexpr TimmField kTimmFields[] = {
    {"img_size", kAll,
     [](TimmDraft& draft, const JsonNode& node) { draft.arguments.img_size = parse_size(node); },
     nullptr, [](const A& a) { return std::optional(sides(a.img_size)); }, kAll},
    {"patch_size", kAll,
     [](TimmDraft& draft, const JsonNode& node) { draft.arguments.patch_size = parse_size(node); },
     nullptr, [](const A& a) { return std::optional(sides(a.patch_size)); }, kAll},
    field<&A::in_chans>("in_chans", kAll, kAll),
    field<&A::embed_dim>("embed_dim", kAll, kAll),
    field<&A::depth>("depth", kAll, kAll),
    field<&A::num_heads>("num_heads", kAll, kAll),
    {"num_kv_heads", kEva | kNaflex, read_kv_heads,
     [](TimmDraft& draft) { draft.arguments.num_kv_heads.clear(); }, write_kv_heads},
    {"mlp_ratio", kAll,
     [](TimmDraft& draft, const JsonNode& node) { draft.arguments.mlp_ratio = parse_ratio(node); },
     nullptr, write_member<&A::mlp_ratio>, kAll},
    field<&A::qkv_bias>("qkv_bias", kAll, kVit),
    field<&A::qkv_fused>("qkv_fused", kEva | kNaflex),
    field<&A::qk_norm>("qk_norm", kVit | kEva | kNaflex | kRelpos, kVit),
    named<&A::attn_type, kAttentions>("attn_type", kEva | kNaflex),
    field<&A::proj_bias>("proj_bias", kVit | kNaflex),
    field<&A::scale_attn_norm>("scale_attn_norm", kVit),
    field<&A::scale_attn_norm>("scale_attn_inner", kEva),
    field<&A::scale_attn_norm>("scale_attn_inner_norm", kNaflex),
    field<&A::scale_mlp_norm>("scale_mlp_norm", kVit | kNaflex),
    field<&A::scale_mlp_norm>("scale_mlp", kEva | kBeit),
    {"mlp_layer", kVit,
     [](TimmDraft& draft, const JsonNode& node) {
       draft.arguments.mlp_layer = choose(node, kMlps);
     }},
    {"swiglu_mlp", kEva | kBeit | kNaflex,
     [](TimmDraft& draft, const JsonNode& node) {
       draft.arguments.mlp_layer = node.boolean() ? TimmMlp::swiglu : TimmMlp::plain;
     },
     nullptr, [](const A& a) { return std::optional<OrderedJson>(a.mlp_layer != TimmMlp::plain); }},
    field<&A::swiglu_align_to>("swiglu_align_to", kEva | kNaflex),
    {"act_layer", kVit | kNaflex,
     [](TimmDraft& draft, const JsonNode& node) { draft.activation = node; },
     [](TimmDraft& draft) { draft.arguments.act_layer = Activation::gelu; },
     [](const A& a) {
       return a.mlp_layer == TimmMlp::plain
                  ? std::optional<OrderedJson>(name_of(kActivations, a.act_layer))
                  : std::nullopt;
     },
     kVit},
    {"norm_layer", kVit | kNaflex,
     [](TimmDraft& draft, const JsonNode& node) {
       draft.arguments.norm_layer = choose(node, kNorms);
     },
     [](TimmDraft& draft) { draft.arguments.norm_layer = {}; },
     [](const A& a) -> std::optional<OrderedJson> {
       if (const char* name = name_of(kNorms, a.norm_layer)) return name;
       return std::nullopt;
     }},
    {"embed_norm_layer", kVit | kNaflex,
     [](TimmDraft& draft, const JsonNode& node) {
       draft.arguments.embed_norm = true;
       draft.patch_norm = node;
     },
     [](TimmDraft& draft) {
       draft.arguments.embed_norm = false;
       draft.patch_norm.reset();
     },
     [](const A& a) -> std::optional<OrderedJson> {
       if (!a.embed_norm) return OrderedJson(nullptr);
       if (const char* name = name_of(kNorms, a.norm_layer)) return name;
       return std::nullopt;
     }},
    {"use_post_norm", kEva,
     [](TimmDraft& draft, const JsonNode& node) {
       draft.arguments.norm_place = node.boolean() ? NormPlace::res_post : NormPlace::pre;
     },
     nullptr,
     [](const A& a) { return std::optional<OrderedJson>(a.norm_place == NormPlace::res_post); }},
    {"init_values", kAll,
     [](TimmDraft& draft, const JsonNode& node) {
       node.number();
       draft.arguments.layer_scale = true;
     },
     reset_member<&A::layer_scale>,
     [](const A& a) {
       return std::optional(a.layer_scale ? OrderedJson(1e-5) : OrderedJson(nullptr));
     },
     kVit},
    field<&A::attn_only_layer_scale>("attn_only_layer_scale", kEva | kNaflex),
    field<&A::class_token>("class_token", kVit | kEva | kNaflex | kRelpos, kVit),
    field<&A::reg_tokens>("reg_tokens", kVit | kNaflex, kVit),
    field<&A::reg_tokens>("num_reg_tokens", kEva),
    {"pos_embed", kVit,
     [](TimmDraft& draft, const JsonNode& node) {
       draft.arguments.pos_embed = choose(node, kPositions);
     },
     nullptr,
     [](const A& a) {
       return a.pos_embed == PositionKind::learned
                  ? std::nullopt
                  : std::optional<OrderedJson>(name_of(kPositions, a.pos_embed));
     }},
    {"pos_embed", kNaflex,
     [](TimmDraft& draft, const JsonNode& node) {
       constexpr const char* kFactorized = "factorized";
       auto& a = draft.arguments;
       a.pos_embed_factorized = node.string() == kFactorized;
       a.pos_embed = choose<PositionKind>(node, {{"learned", PositionKind::learned},
                                                 {kFactorized, PositionKind::learned},
                                                 {"none", PositionKind::none},
                                                 {"", PositionKind::none}});
       draft.positions = node;
     },
     nullptr,
     [](const A& a) {
       return std::optional<OrderedJson>(a.pos_embed != PositionKind::learned ? "none"
                                         : a.pos_embed_factorized             ? "factorized"
                                                                              : "learned");
     }},
    {"use_abs_pos_emb", kEva | kBeit,
     [](TimmDraft& draft, const JsonNode& node) {
       draft.arguments.pos_embed = node.boolean() ? PositionKind::learned : PositionKind::none;
     },
     nullptr,
     [](const A& a) { return std::optional<OrderedJson>(a.pos_embed != PositionKind::none); }},
    field<&A::no_embed_class>("no_embed_class", kVit | kEva, kVit),
    field<&A::pre_norm>("pre_norm", kVit | kNaflex, kVit),
    field<&A::pre_norm>("use_pre_transformer_norm", kEva),
    field<&A::final_norm>("final_norm", kVit | kNaflex, kVit),
    bool_or_null<&A::post_transformer_norm>("use_post_transformer_norm", kEva),
    bool_or_null<&A::fc_norm>("fc_norm", kVit | kNaflex, kVit),
    bool_or_null<&A::fc_norm>("use_fc_norm", kEva | kBeit),
    {"fc_norm", kRelpos, read_member<&A::fc_norm>,
     [](TimmDraft& draft) { draft.arguments.fc_norm = false; },
     [](const A& a) { return std::optional<OrderedJson>(a.fc_norm.value_or(false)); }},
    {"global_pool", kAll,
     [](TimmDraft& draft, const JsonNode& node) {
       draft.arguments.global_pool = parse_timm_pooling(node);
     },
     nullptr,
     [](const A& a) { return std::optional<OrderedJson>(timm_pooling_name(a.global_pool)); }, kAll},
    field<&A::pool_include_prefix>("pool_include_prefix", kVit | kNaflex),
    number_or_null<&A::attn_pool_num_heads>("attn_pool_num_heads", kEva | kNaflex),
    {"attn_pool_mlp_ratio", kEva | kNaflex,
     [](TimmDraft& draft, const JsonNode& node) {
       draft.arguments.attn_pool_mlp_ratio = parse_ratio(node);
     },
     reset_member<&A::attn_pool_mlp_ratio>,
     [](const A& a) -> std::optional<OrderedJson> {
       return a.attn_pool_mlp_ratio ? OrderedJson(*a.attn_pool_mlp_ratio) : OrderedJson(nullptr);
     }},
    {"num_classes", kAll, read_member<&A::num_classes>},
    // Rotary positions.
    field<&A::rope>("use_rot_pos_emb", kEva),
    named<&A::rope_type, kRopes>("rope_type", kEva),
    {"rope_type", kNaflex,
     [](TimmDraft& draft, const JsonNode& node) {
       auto& a = draft.arguments;
       a.rope = !node.string().empty() && node.string() != "none";
       if (a.rope) a.rope_type = choose(node, kNaflexRopes);
     },
     nullptr,
     [](const A& a) {
       return std::optional<OrderedJson>(a.rope ? name_of(kNaflexRopes, a.rope_type) : "");
     }},
    {"rope_temperature", kEva | kNaflex,
     [](TimmDraft& draft, const JsonNode& node) {
       draft.arguments.rope_temperature = parse_temperature(node);
     },
     nullptr, write_member<&A::rope_temperature>},
    {"rope_grid_offset", kEva | kNaflex,
     [](TimmDraft& draft, const JsonNode& node) {
       draft.arguments.rope_grid_offset = parse_offset(node);
     },
     nullptr, write_member<&A::rope_grid_offset>},
    {"rope_grid_indexing", kEva | kNaflex,
     [](TimmDraft& draft, const JsonNode& node) {
       draft.arguments.rope_xy = choose<bool>(node, {{"ij", false}, {"xy", true}});
     },
     nullptr, [](const A& a) { return std::optional<OrderedJson>(a.rope_xy ? "xy" : "ij"); }},
    field<&A::rope_rotate_half>("rope_rotate_half", kEva | kNaflex),
    grid<&A::ref_feat_shape>("ref_feat_shape", kEva),
    grid<&A::ref_feat_shape>("rope_ref_feat_shape", kNaflex),
    // Relative position biases.
    field<&A::rel_pos>("use_rel_pos_bias", kBeit),
    field<&A::shared_rel_pos>("use_shared_rel_pos_bias", kBeit),
    {"shared_rel_pos", kRelpos,
     [](TimmDraft& draft, const JsonNode& node) {
       draft.arguments.shared_rel_pos = node.boolean();
       draft.arguments.rel_pos = !draft.arguments.shared_rel_pos;
     },
     nullptr, write_member<&A::shared_rel_pos>},
    named<&A::rel_pos_type, kRelPos>("rel_pos_type", kRelpos),
    number_or_null<&A::rel_pos_dim>("rel_pos_dim", kRelpos),
    // NaFlexVit's table of positions.
    grid<&A::pos_embed_grid_size>("pos_embed_grid_size", kNaflex),
    {"pos_embed_interp_mode", kNaflex,
     [](TimmDraft& draft, const JsonNode& node) {
       draft.arguments.pos_embed_bilinear =
           choose<bool>(node, {{"bicubic", false}, {"bilinear", true}});
       draft.positions = node;
     },
     nullptr,
     [](const A& a) {
       return std::optional<OrderedJson>(a.pos_embed_bilinear ? "bilinear" : "bicubic");
     }},
    resizing<&A::pos_embed_ar_preserving>("pos_embed_ar_preserving"),
    resizing<&A::pos_embed_antialias>("pos_embed_antialias"),
    resizing<&A::pos_embed_align_corners>("pos_embed_align_corners"),
    fixed<false>("pos_embed_use_grid_sample", kNaflex),
    fixed<true>("patchify_channels_last", kNaflex),
    fixed<false>("attn_gated", kNaflex),
    fixed<false>("use_naflex", kVit | kEva),
    {"dynamic_img_pad", kAll,
     [](TimmDraft& draft, const JsonNode& node) {
       // Where the patches cover the image there is nothing to pad.
       if (node.boolean()) draft.padded = node;
     }},
};

}  // namespace

std::span<const TimmField> timm_fields() { return kTimmFields; }

Pooling parse_timm_pooling(const JsonNode& node) { return choose(node, kPoolings); }

Activation parse_timm_activation(const JsonNode& node) { return choose(node, kActivations); }

const char* timm_pooling_name(Pooling pooling) {
  const char* name = name_of(kPoolings, pooling);
  return name ? name : "token";
}

PositionKind parse_position_kind(const JsonNode& node) { return choose(node, kPositions); }

const char* position_kind_name(PositionKind kind) { return name_of(kPositions, kind); }

}  // namespace vit
