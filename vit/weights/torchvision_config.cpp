#include <vit/weights/json_values.h>
#include <vit/weights/torchvision_config.h>

namespace vit {

ModelConfig read_torchvision_config(const JsonNode& root) {
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

  // The library's transforms: the shorter side to 256, a crop of 224, bilinear.
  vit.picture() = {.input_size = vit.image_size(),
                   .interpolation = Interpolation::bilinear,
                   .crop_pct = 0.875,
                   .mean = {0.485, 0.456, 0.406},
                   .std = {0.229, 0.224, 0.225}};
  return config;
}

}  // namespace vit
