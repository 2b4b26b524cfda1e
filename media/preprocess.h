#pragma once

#include <ATen/core/Tensor.h>

#include <media/resize.h>
#include <vit/config.h>

namespace media {

/// How a picture becomes a model's input: resized to `resized`, of which the pixels of `crop` are
/// seen. Where the crop reaches beyond the picture (negative offsets), zeros are added.
struct Framing {
  vit::Size2d resized;
  Region crop;
  vit::Interpolation interpolation = vit::Interpolation::bicubic;
};

/// The framing that timm 1.0 uses at inference for a picture of size `picture`. s is
/// floor(input_size / crop_pct). Center mode: the shorter side becomes s, the longer one
/// int(s * long / short); for an s that is not square the picture is scaled until it covers s, and
/// always bilinearly, as timm does. Squash mode: both sides become s. Then the centred crop,
/// offsets of one half rounded to even.
///
/// Throws vit::Error for empty sizes and for a crop_pct that leaves no pixel.
Framing framing(vit::Size2d picture, const vit::PicturePreprocessing& how);

/// uint8 [height, width, 3] to uint8 [input height, input width, 3]: resized and cropped, not yet
/// normalised.
at::Tensor resize_and_crop(const at::Tensor& rgb, const vit::PicturePreprocessing& how);

/// uint8 [height, width, 3] to float32 [3, height, width] with the values (v / 255 - mean) / std.
at::Tensor normalize(const at::Tensor& rgb, const vit::PicturePreprocessing& how);

/// Both together: uint8 [height, width, 3] to the model's input, float32 [3, input height, input
/// width].
///
/// All three throw c10::Error for other tensors and vit::Error for a `how` that cannot be used.
at::Tensor preprocess(const at::Tensor& rgb, const vit::PicturePreprocessing& how);
/// The same for a model that takes pictures. Throws vit::Error for one that takes anything else.
at::Tensor preprocess(const at::Tensor& rgb, const vit::Preprocessing& how);

}  // namespace media
