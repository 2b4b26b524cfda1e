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

void BlockConfig::validate() const {
  check_range("embed_dim", dim, 1, kMaxDim);
  check_range("num_heads", attention.num_heads, 1, dim);
  if (dim % attention.num_heads)
    fail("model config: num_heads ", attention.num_heads, " does not divide embed_dim ", dim);
  if (attention.rotary && head_dim() % 4)
    fail("model config: rotary positions need heads of a multiple of 4 channels, got ", head_dim());
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

int64_t VitConfig::num_positions() const {
  return num_patches() + (positions.covers_prefix ? num_prefix_tokens() : 0);
}

int64_t VitConfig::pooled_dim() const {
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
}

const PicturePreprocessing& VitConfig::picture_for_input() const {
  const PicturePreprocessing& how = picture();
  if (!(how.input_size == image_size()))
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
  block.validate();
  check_range("depth", depth, 1, kMaxDepth);
  check_range("num_classes", head.num_classes, 0, kMaxClasses);
  check_range("reg_tokens", prefix.reg_tokens, 0, kMaxPrefixTokens);
  check_range("tokens", num_tokens(), 1, kMaxTokens);
  if (prefix.dist_token && !prefix.cls_tokens)
    fail("model config: a distillation token needs a class token");
  if ((head.pooling == Pooling::cls || head.pooling == Pooling::cls_avg) && !prefix.cls_tokens)
    fail("model config: pooling by class token, but the model has none; use avg or map pooling");
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
  if (block.attention.rotary && input.extent.frames != 1)
    fail("model config: rotary positions of two axes for an input of ", input.extent.frames,
         " frames");
  std::visit([&](const auto& p) { p.validate(input.channels); }, input.preprocessing);
}

}  // namespace vit
