#include <cmath>

#include <vit/config.h>
#include <vit/error.h>

namespace vit {
namespace {

// Far above every published model, far below what would exhaust memory by a typing mistake.
constexpr int64_t kMaxImageSide = 1 << 16;
constexpr int64_t kMaxDim = 1 << 16;
constexpr int64_t kMaxDepth = 1024;
constexpr int64_t kMaxClasses = 1 << 24;
constexpr int64_t kMaxPrefixTokens = 1 << 12;
constexpr int64_t kMaxTokens = 1 << 20;

void check_range(const char* field, int64_t value, int64_t low, int64_t high) {
  if (value < low || value > high)
    fail("model config: ", field, " is ", value, ", expected ", low, " to ", high);
}

}  // namespace

int64_t VitConfig::num_prefix_tokens() const {
  return int64_t{cls_token} + int64_t{dist_token} + reg_tokens;
}

Size2d VitConfig::grid() const {
  return {image_size.height / patch_size.height, image_size.width / patch_size.width};
}

int64_t VitConfig::num_patches() const { return grid().height * grid().width; }

int64_t VitConfig::num_positions() const {
  return num_patches() + (positions_for_prefix ? num_prefix_tokens() : 0);
}

void VitConfig::check_covers(Size2d image) const {
  if (image.height % patch_size.height || image.width % patch_size.width)
    fail("patches of ", patch_size.height, "x", patch_size.width, " do not divide an image of ",
         image.height, "x", image.width,
         " pixels; choose an image size that is a multiple of the patch size");
}

void VitConfig::validate() const {
  check_range("image height", image_size.height, 1, kMaxImageSide);
  check_range("image width", image_size.width, 1, kMaxImageSide);
  check_range("patch height", patch_size.height, 1, image_size.height);
  check_range("patch width", patch_size.width, 1, image_size.width);
  check_range("input channels", in_channels, 1, 4096);
  check_range("embed_dim", embed_dim, 1, kMaxDim);
  check_range("depth", depth, 1, kMaxDepth);
  check_range("num_heads", num_heads, 1, embed_dim);
  if (embed_dim % num_heads)
    fail("model config: num_heads ", num_heads, " does not divide embed_dim ", embed_dim);
  check_range("MLP hidden dim", mlp_hidden_dim, 1, kMaxDim * 4);
  check_range("num_classes", num_classes, 0, kMaxClasses);
  check_range("reg_tokens", reg_tokens, 0, kMaxPrefixTokens);
  check_range("tokens", num_tokens(), 1, kMaxTokens);
  if (!(norm_eps > 0 && norm_eps < 1))
    fail("model config: norm eps ", norm_eps, " is not in (0, 1)");
  if (dist_token && !cls_token) fail("model config: a distillation token needs a class token");
  if ((pooling == Pooling::cls || pooling == Pooling::cls_avg) && !cls_token)
    fail("model config: pooling by class token, but the model has none; use avg or map pooling");
  if (fc_norm && !final_norm) fail("model config: fc_norm needs the final norm");
  if (positions == Positions::sincos_1d || positions == Positions::sincos_2d) {
    const int64_t divisor = positions == Positions::sincos_2d ? 4 : 2;
    if (embed_dim % divisor)
      fail("model config: sinusoidal positions need an embed_dim divisible by ", divisor, ", got ",
           embed_dim);
  }
}

void Preprocessing::validate(int64_t channels) const {
  check_range("input height", input_size.height, 1, kMaxImageSide);
  check_range("input width", input_size.width, 1, kMaxImageSide);
  if (!(crop_pct > 0.01 && crop_pct <= 100))
    fail("model config: crop_pct is ", crop_pct, ", expected above 0.01 and at most 100");
  for (const auto& [name, values] : {std::pair{"mean", &mean}, {"std", &std}}) {
    if (static_cast<int64_t>(values->size()) != channels)
      fail("model config: ", name, " has ", values->size(), " values, expected one for each of ",
           channels, " channels");
    for (double value : *values)
      if (!std::isfinite(value)) fail("model config: ", name, " holds ", value);
  }
  for (double value : std)
    if (value <= 0) fail("model config: std holds ", value, ", expected positive values");
}

}  // namespace vit
