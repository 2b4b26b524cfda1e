#pragma once

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include <vit/extent.h>

namespace vit {

/// Filters of Pillow's resize.
enum class Interpolation { nearest, box, bilinear, hamming, bicubic, lanczos };

/// How a picture is resized before the crop.
enum class CropMode {
  center,  ///< keeps the aspect: the shorter side becomes that of the size; an oblong one is
           ///< covered
  squash,  ///< both sides become those of the size, whatever the aspect
  border,  ///< keeps the aspect: the picture fits into the size, and what is missing is filled
  none,    ///< not at all
};

/// Where half a pixel goes: offsets of centred crops, sides that follow from an aspect, and the odd
/// one of the pixels that a picture lacks for its crop.
enum class Rounding {
  half_even,     ///< timm, torchvision, OpenCLIP; missing pixels rather below and on the right
  down,          ///< transformers; missing pixels rather above and on the left
  down_tensors,  ///< transformers' processors of tensors; missing pixels rather below and on the
                 ///< right
};

/// What becomes of pixels that a file calls transparent.
enum class Transparency {
  dropped,          ///< their colours count (timm, torchvision; transformers' ViT and DeiT)
  color_key_white,  ///< those of one transparent colour are white, alpha channels are dropped
};

/// Sizes in pixels, for an input of `input_size`; for another one they grow with it.
struct ResizeSizes {
  Size2d input_size;
  Size2d resized;  ///< before the crop
  /// The longer side at most, in mode `center`; the shorter one becomes less then.
  std::optional<int64_t> longest_side = std::nullopt;

  bool operator==(const ResizeSizes&) const = default;
};

/// How a checkpoint wants its pictures: resized, cropped, scaled to [0, 1] and normalised. The
/// defaults are those of timm's AugReg models.
struct PicturePreprocessing {
  Size2d input_size{224, 224};  ///< pixels, what the model sees
  /// Above 0: pictures keep their aspect and get as large as so many patches allow (SigLIP 2,
  /// NaFlex), each side rounded up to whole patches. Then input_size and all that speaks of crops
  /// do not count.
  int64_t max_patches = 0;
  Size2d patch = {};  ///< pixels of one of these patches, the model's; 0x0 without max_patches
  Interpolation interpolation = Interpolation::bicubic;
  CropMode crop_mode = CropMode::center;
  double crop_pct = 0.9;  ///< resized to floor(input_size / crop_pct) pixels
  std::optional<ResizeSizes> sizes = std::nullopt;  ///< instead, where crop_pct cannot say them
  bool crop = true;  ///< false: only pictures that resizing brings to input_size have an answer
  Rounding rounding = Rounding::half_even;
  /// The picture is resized in floating point, by the same filters, and stays unrounded (DINOv3's
  /// processor); otherwise it is one of bytes behind every pass, as Pillow's.
  bool float_resize = false;
  std::vector<int64_t> fill = {};  ///< 0 to 255 for each channel, around the picture; empty: black
  Transparency transparency = Transparency::dropped;
  double rescale = 1.0 / 255.0;  ///< what the bytes of a picture are multiplied by
  std::vector<double> mean{0.5, 0.5, 0.5};
  std::vector<double> std{0.5, 0.5, 0.5};

  /// Size before the crop.
  Size2d resized() const;
  /// The longer side at most, if there is such a bound.
  std::optional<int64_t> longest_side() const;
  /// Throws Error for values that cannot be used with `channels` input channels.
  void validate(int64_t channels) const;
  bool operator==(const PicturePreprocessing&) const = default;
};

/// How it wants its video clips: frames taken at a fixed distance, each as a picture.
struct ClipPreprocessing {
  PicturePreprocessing frame = {};
  int64_t frames = 16;       ///< of a clip
  int64_t frame_stride = 4;  ///< frames of the video from one of the clip to the next

  void validate(int64_t channels) const;
  bool operator==(const ClipPreprocessing&) const = default;
};

/// How it wants its sound: mono, as the logarithm of mel filter bank energies, normalised.
struct SpectrogramPreprocessing {
  int64_t sample_rate = 16000;  ///< samples a second
  int64_t mel_bins = 128;
  int64_t frames = 1024;          ///< of the spectrogram; shorter ones are padded, longer ones cut
  double window_seconds = 0.025;  ///< length of what one frame is computed from
  double hop_seconds = 0.010;     ///< from one frame to the next
  double mean = 0;                ///< subtracted from the log energies
  double std = 1;                 ///< what they are divided by then

  void validate(int64_t channels) const;
  bool operator==(const SpectrogramPreprocessing&) const = default;
};

using Preprocessing =
    std::variant<PicturePreprocessing, ClipPreprocessing, SpectrogramPreprocessing>;

/// That of a model that takes pictures. Throws Error that says what it takes if that is anything
/// else.
const PicturePreprocessing& picture_preprocessing(const Preprocessing& preprocessing);

/// What goes into a model.
struct InputConfig {
  int64_t channels = 3;
  /// Pixels, or bins and frames of a spectrogram; what the patches leave over at the end of an axis
  /// is not looked at.
  Extent extent{1, 224, 224};
  Preprocessing preprocessing;
  /// The model has means and standard deviations of its own, which it takes pixels by before
  /// anything else (C-RADIO).
  bool normalized_inside = false;

  bool operator==(const InputConfig&) const = default;
};

}  // namespace vit
