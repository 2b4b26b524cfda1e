#include <ATen/ATen.h>

#include <vit/weights/json_values.h>
#include <vit/weights/layouts/key_rules.h>
#include <vit/weights/layouts/layout.h>
#include <vit/weights/layouts/packing.h>
#include <vit/weights/layouts/presets.h>

namespace vit {
namespace {

// torchvision, and SWAG in its names.
constexpr KeyRule kTorchvision[] = {
    {"class_token", "cls_token"},
    {"conv_proj", "patch_embed.proj"},
    {"encoder.pos_embedding", "pos_embed"},
    {"encoder.layers.encoder_layer_*.ln_1", "blocks.*.norm1"},
    {"encoder.layers.encoder_layer_*.ln_2", "blocks.*.norm2"},
    {"encoder.layers.encoder_layer_*.self_attention.in_proj_weight", "blocks.*.attn.qkv.weight"},
    {"encoder.layers.encoder_layer_*.self_attention.in_proj_bias", "blocks.*.attn.qkv.bias"},
    {"encoder.layers.encoder_layer_*.self_attention.out_proj", "blocks.*.attn.proj"},
    {"encoder.layers.encoder_layer_*.mlp.0", "blocks.*.mlp.fc1"},
    {"encoder.layers.encoder_layer_*.mlp.3", "blocks.*.mlp.fc2"},
    {"encoder.layers.encoder_layer_*.mlp.linear_1", "blocks.*.mlp.fc1"},
    {"encoder.layers.encoder_layer_*.mlp.linear_2", "blocks.*.mlp.fc2"},
    {"encoder.ln", "norm"},
    {"heads.head", "head"},
};

bool detect(const StateDict& weights) { return weights.contains("conv_proj.weight"); }

StateDict to_timm(const StateDict& weights, const std::string& where) {
  return rename_and_pack(weights, kTorchvision, where);
}

void apply_defaults(const StateDict&, VitConfig& config) {
  config.block.norm.eps = 1e-6;
  prepare_as_torchvision(config);
}

bool wrote(const JsonNode& root) {
  const auto library = root.find("library");
  return library && library->string() == "torchvision";
}

ModelConfig read_config(const JsonNode& root) {
  ModelConfig config;
  VitConfig& vit = config.vit;
  if (const auto name = root.find("architecture")) vit.architecture = name->string();
  if (const auto classes = root.find("num_classes")) vit.head.num_classes = count(*classes);
  if (const auto eps = root.find("layer_norm_eps")) vit.block.norm.eps = eps->number();

  const auto args = root.at("model_args");
  vit.set_image_size(parse_size(args.at("image_size")));
  vit.patch.set_size(parse_size(args.at("patch_size")));
  vit.depth = count(args.at("num_layers"));
  vit.block.attention.num_heads = count(args.at("num_heads"));
  vit.block.dim = count(args.at("hidden_dim"));
  vit.block.mlp.hidden_dim = count(args.at("mlp_dim"));

  prepare_as_torchvision(vit);
  return config;
}

}  // namespace

const Layout kTorchvisionLayout{"torchvision",  "torchvision", detect,     to_timm,
                                apply_defaults, wrote,         read_config};

}  // namespace vit
