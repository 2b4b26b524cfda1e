#include <cmath>
#include <utility>
#include <variant>

#include <vit/config.h>
#include <vit/error.h>
#include <vit/limits.h>

namespace vit {

int64_t MlpConfig::gates() const {
  switch (kind) {
    case MlpKind::plain:
      return 1;
    case MlpKind::swiglu_packed:
      return 2;
  }
  fail("model config: unknown kind of MLP ", static_cast<int>(kind));
}

namespace {

void validate(const RotaryConfig& rotary, int64_t head_dim) {
  if (rotary.axes != 2 && rotary.axes != 3)
    fail("model config: rotary positions of ", rotary.axes, " axes, expected 2 or 3");
  if (rotary.axes == 2 && head_dim % 4)
    fail("model config: rotary positions need heads of a multiple of 4 channels, got ", head_dim);
  if (rotary.axes == 3 && head_dim < 6)
    fail("model config: rotary positions of 3 axes need heads of 6 channels or more, got ",
         head_dim);
  constexpr double kMaxBase = 1e12;
  if (!(rotary.base > 0 && rotary.base <= kMaxBase))
    fail("model config: the base of rotary positions is ", rotary.base,
         ", expected above 0 and at most ", kMaxBase);
  constexpr double kMaxOffset = 1e6;
  if (!(rotary.offset >= -kMaxOffset && rotary.offset <= kMaxOffset))
    fail("model config: the offset of rotary positions is ", rotary.offset, ", out of range");
  const bool rescales = rotary.reference_rows || rotary.reference_cols;
  if (rescales) {
    check_range("rows of the rotary reference grid", rotary.reference_rows, 1, kMaxImageSide);
    check_range("columns of the rotary reference grid", rotary.reference_cols, 1, kMaxImageSide);
  }
  if (rescales && (rotary.axes == 3 || rotary.coordinates != RotaryCoordinates::index))
    fail("model config: only indices of two axes are rescaled to a rotary reference grid");
  if ((rotary.axes == 3) != (rotary.layout == RotaryLayout::interleaved_tiled))
    fail(
        "model config: rotary positions of 3 axes, and those alone, have interleaved tiled angles");
  if (rotary.frequencies == RotaryFrequencies::learned && rotary.axes != 2)
    fail("model config: learned rotary frequencies are for 2 axes");
}

}  // namespace

void BlockConfig::validate() const {
  check_range("embed_dim", dim, 1, kMaxDim);
  check_range("num_heads", attention.num_heads, 1, dim);
  if (dim % attention.num_heads)
    fail("model config: num_heads ", attention.num_heads, " does not divide embed_dim ", dim);
  check_range("num_kv_heads", attention.num_kv_heads, 0, attention.num_heads);
  if (attention.num_heads % attention.kv_heads())
    fail("model config: num_kv_heads ", attention.num_kv_heads, " does not divide num_heads ",
         attention.num_heads);
  if (attention.rotary) vit::validate(*attention.rotary, head_dim());
  if (const auto& relative = attention.relative_bias) {
    check_range("rows of the relative position bias", relative->grid.height, 1, kMaxImageSide);
    check_range("columns of the relative position bias", relative->grid.width, 1, kMaxImageSide);
    check_range("tokens of the relative position bias", relative->tokens(), 1, kMaxTokens);
    check_range("hidden dim of the relative position bias", relative->hidden_dim, 1, kMaxDim);
    if (relative->kind == RelativeBiasKind::table && relative->prefix_tokens > 1)
      fail(
          "model config: a table of relative position biases knows one class token, but there are ",
          relative->prefix_tokens, " prefix tokens");
  }
  check_range("MLP hidden dim", mlp.hidden_dim, 1, kMaxDim * 4);
  if (!(norm.eps > 0 && norm.eps < 1))
    fail("model config: norm eps ", norm.eps, " is not in (0, 1)");
}

Extent PatchConfig::grid(Extent input) const {
  const auto along = [](int64_t size, int64_t kernel, int64_t stride) {
    return size < kernel ? 0 : (size - kernel) / stride + 1;
  };
  return {along(input.frames, kernel.frames, stride.frames),
          along(input.rows, kernel.rows, stride.rows), along(input.cols, kernel.cols, stride.cols)};
}

BlockConfig VitConfig::block_at(int64_t index) const {
  BlockConfig result = block;
  if (!kv_heads.empty()) result.attention.num_kv_heads = kv_heads.at(static_cast<size_t>(index));
  return result;
}

void VitConfig::fit_relative_bias() {
  if (auto& relative = block.attention.relative_bias) {
    relative->grid = grid().size();
    relative->prefix_tokens = num_prefix_tokens();
  }
}

int64_t VitConfig::num_positions() const {
  const Size2d table = positions.table;
  return (table == Size2d() ? num_patches() : table.height * table.width) +
         (positions.covers_prefix ? num_prefix_tokens() : 0);
}

int64_t VitConfig::pooled_dim() const {
  if (head.pooling == Pooling::cls_concat) return head.pooled_tokens * block.dim;
  return head.pooling == Pooling::cls_avg ? 2 * block.dim : block.dim;
}

void VitConfig::set_image_size(Size2d size) {
  if (size == image_size()) return;
  input.extent.rows = size.height;
  input.extent.cols = size.width;
  if (auto* picture = std::get_if<PicturePreprocessing>(&input.preprocessing)) {
    picture->input_size = size;
  } else if (auto* clip = std::get_if<ClipPreprocessing>(&input.preprocessing)) {
    clip->frame.input_size = size;
  } else {
    auto& spectrogram = std::get<SpectrogramPreprocessing>(input.preprocessing);
    spectrogram.mel_bins = size.height;
    spectrogram.frames = size.width;
  }
  fit_relative_bias();
}

bool VitConfig::takes_any_size() const {
  const bool table = positions.kind == PositionKind::learned && positions.table != Size2d();
  const bool rotary = positions.kind == PositionKind::none && block.attention.rotary &&
                      block.attention.rotary->axes == 2;
  return (table || rotary) && !block.attention.relative_bias && input.extent.frames == 1 &&
         patch.kernel == patch.stride &&
         std::holds_alternative<PicturePreprocessing>(input.preprocessing);
}

void VitConfig::set_max_patches(int64_t max_patches) {
  if (!takes_any_size())
    fail("the model takes pictures of ", image_size().height, "x", image_size().width,
         " pixels alone, not of any size; leave ", base::Setting{"LoadOptions::max_patches"},
         " out");
  check_range("max_patches", max_patches, 1, kMaxTokens - num_prefix_tokens());
  const auto side = static_cast<int64_t>(std::sqrt(static_cast<double>(max_patches)));
  const Size2d size = patch.size();
  set_image_size({side * size.height, side * size.width});
  picture().max_patches = max_patches;
  picture().patch = size;
}

const PicturePreprocessing& VitConfig::picture_for_input() const {
  const PicturePreprocessing& how = picture();
  if (!how.max_patches && !(how.input_size == image_size()))
    fail("the preprocessor's file gives pictures of ", how.input_size.height, "x",
         how.input_size.width, " pixels, but the model takes ", image_size().height, "x",
         image_size().width, "; choose one of the two with ",
         base::Setting{"LoadOptions::image_size"});
  return how;
}

PicturePreprocessing& VitConfig::picture() {
  return const_cast<PicturePreprocessing&>(std::as_const(*this).picture());
}

void VitConfig::check_covers(Size2d image) const {
  const Size2d size = patch.size();
  if (image.height % size.height || image.width % size.width)
    fail("patches of ", size.height, "x", size.width, " do not divide an image of ", image.height,
         "x", image.width, " pixels; choose an image size that is a multiple of the patch size");
}

void VitConfig::validate() const {
  check_range("frames", input.extent.frames, 1, kMaxFrames);
  check_range("image height", input.extent.rows, 1, kMaxImageSide);
  check_range("image width", input.extent.cols, 1, kMaxImageSide);
  check_range("patch frames", patch.kernel.frames, 1, input.extent.frames);
  check_range("patch height", patch.kernel.rows, 1, input.extent.rows);
  check_range("patch width", patch.kernel.cols, 1, input.extent.cols);
  check_range("patch stride in frames", patch.stride.frames, 1, patch.kernel.frames);
  check_range("patch stride in rows", patch.stride.rows, 1, patch.kernel.rows);
  check_range("patch stride in columns", patch.stride.cols, 1, patch.kernel.cols);
  check_range("input channels", input.channels, 1, 4096);
  check_range("class tokens", prefix.cls_tokens, 0, kMaxPrefixTokens);
  block.validate();
  if (!kv_heads.empty() && static_cast<int64_t>(kv_heads.size()) != depth)
    fail("model config: num_kv_heads of ", kv_heads.size(), " blocks, but depth is ", depth);
  for (std::size_t i = 0; i < kv_heads.size(); ++i) block_at(static_cast<int64_t>(i)).validate();
  check_range("depth", depth, 1, kMaxDepth);
  check_range("num_classes", head.num_classes, 0, kMaxClasses);
  check_range("reg_tokens", prefix.reg_tokens, 0, kMaxPrefixTokens);
  check_range("tokens", num_tokens(), 1, kMaxTokens);
  if (prefix.dist_token && !prefix.cls_tokens)
    fail("model config: a distillation token needs a class token");
  if ((head.pooling == Pooling::cls || head.pooling == Pooling::cls_avg) && !prefix.cls_tokens)
    fail("model config: pooling by class token, but the model has none; use avg or map pooling");
  check_range("pooled class tokens", head.pooled_tokens, 1,
              head.pooling == Pooling::cls_concat ? prefix.cls_tokens : 1);
  if (head.pooling == Pooling::cls_concat && head.norm_after)
    fail("model config: a norm on class tokens that stand one after the other");
  if (head.pooling == Pooling::cls_mean && !prefix.cls_tokens)
    fail("model config: pooling by class tokens, but the model has none; use avg or map pooling");
  if (head.pooling == Pooling::map) {
    const int64_t heads = head.attention_pool.num_heads;
    check_range("heads of the attention pool", heads, 0, block.dim);
    if (heads && block.dim % heads)
      fail("model config: the ", heads, " heads of the attention pool do not divide embed_dim ",
           block.dim);
    check_range("hidden dim of the attention pool", head.attention_pool.hidden_dim, 0, kMaxDim * 4);
  }
  if (head.pooling == Pooling::cls_dist && !prefix.dist_token)
    fail("model config: pooling by class and distillation token, but there is no such pair");
  check_range("heads of prefix tokens", head.token_heads, 1,
              head.pooling == Pooling::cls && prefix.dist_token ? 2 : 1);
  if (positions.computed()) {
    const int64_t divisor = positions.kind == PositionKind::sincos_1d   ? 2
                            : positions.kind == PositionKind::sincos_2d ? 4
                                                                        : 8;
    if (block.dim % divisor)
      fail("model config: sinusoidal positions need an embed_dim divisible by ", divisor, ", got ",
           block.dim);
  }
  if (positions.table != Size2d()) {
    if (positions.kind != PositionKind::learned)
      fail("model config: a table of positions, but they are not learned");
    check_range("rows of the position table", positions.table.height, 1, kMaxImageSide);
    check_range("columns of the position table", positions.table.width, 1, kMaxImageSide);
    check_range("entries of the position table", num_positions(), 1, kMaxTokens);
  }
  const AttentionConfig& attention = block.attention;
  if (attention.rotary && attention.rotary->axes == 2 && input.extent.frames != 1)
    fail("model config: rotary positions of two axes for an input of ", input.extent.frames,
         " frames");
  if (attention.rotary && attention.rotary->class_angles && !prefix.cls_tokens)
    fail("model config: rotary angles of a class token, but the model has none");
  if (const auto& relative = attention.relative_bias;
      relative && (relative->grid != grid().size() || grid().frames != 1 ||
                   relative->prefix_tokens != num_prefix_tokens()))
    fail("model config: the relative position bias is for ", relative->prefix_tokens, " + ",
         relative->grid.height, "x", relative->grid.width, " tokens, but the model has ",
         num_prefix_tokens(), " + ", grid().rows, "x", grid().cols);
  std::visit([&](const auto& p) { p.validate(input.channels); }, input.preprocessing);
  const auto* how = std::get_if<PicturePreprocessing>(&input.preprocessing);
  if (!how || !how->max_patches) return;
  if (!takes_any_size())
    fail("model config: pictures of any aspect (max_patches ", how->max_patches,
         ") for a model that takes one size alone");
  if (how->patch != patch.size())
    fail("model config: pictures are made of patches of ", how->patch.height, "x", how->patch.width,
         " pixels, but the model's are of ", patch.size().height, "x", patch.size().width);
  check_range("max_patches", how->max_patches, 1, kMaxTokens - num_prefix_tokens());
}

}  // namespace vit
