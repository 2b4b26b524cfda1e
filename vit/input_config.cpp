#include <cmath>
#include <utility>

#include <vit/error.h>
#include <vit/input_config.h>
#include <vit/limits.h>

namespace vit {

void PicturePreprocessing::validate(int64_t channels) const {
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

void ClipPreprocessing::validate(int64_t channels) const {
  frame.validate(channels);
  check_range("frames of a clip", frames, 1, kMaxFrames);
  check_range("frame stride", frame_stride, 1, kMaxFrames);
}

void SpectrogramPreprocessing::validate(int64_t channels) const {
  check_range("channels of a spectrogram", channels, 1, 1);
  check_range("sample rate", sample_rate, 1000, 1'000'000);
  check_range("mel bins", mel_bins, 1, kMaxImageSide);
  check_range("frames of a spectrogram", frames, 1, kMaxImageSide);
  for (const auto& [name, value] :
       {std::pair{"window", window_seconds}, {"hop", hop_seconds}, {"std", std}})
    if (!(std::isfinite(value) && value > 0))
      fail("model config: the spectrogram's ", name, " is ", value, ", expected a positive value");
  if (!std::isfinite(mean)) fail("model config: the spectrogram's mean is ", mean);
}

const PicturePreprocessing& picture_preprocessing(const Preprocessing& preprocessing) {
  if (const auto* picture = std::get_if<PicturePreprocessing>(&preprocessing)) return *picture;
  fail("the model takes ",
       std::holds_alternative<ClipPreprocessing>(preprocessing) ? "video clips" : "spectrograms",
       ", not pictures");
}

}  // namespace vit
