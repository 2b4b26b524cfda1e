#pragma once

#include <filesystem>

#include <ATen/core/Tensor.h>

#include <media/resize.h>
#include <vit/config.h>

namespace media {

/// How a picture becomes a model's input: resized to `resized`, of which the pixels of `crop` are
/// seen. Where the crop reaches beyond the picture (negative offsets), it is filled.
struct Framing {
  vit::Size2d resized;
  Region crop;
};

/// The framing that the checkpoint's library gives a picture of size `picture` (timm 1.0.31,
/// torchvision 0.29, transformers 5.23). With s = how.resized() and r the rounding of `how`:
/// - center: the shorter side becomes s, the longer one int(s * long / short), and where
///   longest_side() allows less, both less; for an s that is not square the picture is scaled until
///   it covers s, sides rounded by r;
/// - squash: both sides become s;
/// - border: the picture is scaled until it fits into s, sides rounded by r;
/// - none: the picture as it is.
/// Then the centred crop, offsets of one half rounded by r.
///
/// Throws vit::Error for empty sizes, for a `how` that leaves no pixel, and for a picture that gets
/// another size than input_size where `how` does not crop.
Framing framing(vit::Size2d picture, const vit::PicturePreprocessing& how);

/// The size at which a picture keeps its aspect and has as many patches of `patch` pixels as
/// possible, at most `max_patches`: scaled, then rounded up to whole patches (Siglip2ImageProcessor
/// of transformers 5.23, ResizeToSequence of timm 1.0.31). Both search the scale to 1e-5 up to 100,
/// where its last digits decide, and so does this. Throws vit::Error where a picture is so long
/// that no scale leaves few enough patches.
vit::Size2d size_of_patches(vit::Size2d picture, vit::Size2d patch, int64_t max_patches);

/// Channels of the inputs that `how` prepares: 3, or 1 for a model of gray pictures. Throws
/// vit::Error for a `how` that cannot be used.
int64_t channels_of(const vit::PicturePreprocessing& how);

/// The luma of uint8 [height, width, 3] as uint8 [height, width, 1], as Pillow's mode L has it.
at::Tensor to_gray(const at::Tensor& rgb);

/// uint8 [height, width, 3] to uint8 [input height, input width, C] (with max_patches the sides
/// that size_of_patches() gives), C being the channels that `how` has a mean for, 3 or 1: resized
/// and cropped, not yet normalised.
at::Tensor resize_and_crop(const at::Tensor& rgb, const vit::PicturePreprocessing& how);

/// uint8 [height, width, C] to float32 [C, height, width] with the values (v * rescale - mean) /
/// std, C being 3 or 1.
at::Tensor normalize(const at::Tensor& pixels, const vit::PicturePreprocessing& how);

/// Both together, in floating point where `how` says so: uint8 [height, width, 3] to the model's
/// input, float32 [C, input height, input width], of sides of its own with max_patches.
///
/// All three throw c10::Error for other tensors and vit::Error for a `how` that cannot be used.
at::Tensor preprocess(const at::Tensor& rgb, const vit::PicturePreprocessing& how);
/// The same for a model that takes pictures. Throws vit::Error for one that takes anything else.
at::Tensor preprocess(const at::Tensor& rgb, const vit::Preprocessing& how);

/// The input that a model makes of a picture file, float32 [channels_of(how), input height, input
/// width]: read_image() with transparent colours as `how` wants them, then preprocess(). Throws as
/// these do.
at::Tensor read_input(const std::filesystem::path& path, const vit::PicturePreprocessing& how);
at::Tensor read_input(const std::filesystem::path& path, const vit::Preprocessing& how);

}  // namespace media
