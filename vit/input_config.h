#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include <vit/extent.h>

namespace vit {

enum class Interpolation { bilinear, bicubic };

enum class CropMode {
  center,  ///< the shorter side becomes size / crop_pct
  squash,  ///< both sides become size / crop_pct, whatever the aspect
};

/// How a checkpoint wants its pictures: resized, cropped, scaled to [0, 1] and normalised.
struct PicturePreprocessing {
  Size2d input_size{224, 224};  ///< pixels, what the model sees
  Interpolation interpolation = Interpolation::bicubic;
  double crop_pct = 0.9;
  CropMode crop_mode = CropMode::center;
  std::vector<double> mean{0.5, 0.5, 0.5};
  std::vector<double> std{0.5, 0.5, 0.5};

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

  bool operator==(const InputConfig&) const = default;
};

}  // namespace vit
