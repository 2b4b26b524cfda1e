#include <algorithm>
#include <cmath>
#include <utility>

#include <vit/error.h>
#include <vit/input_config.h>
#include <vit/limits.h>

namespace vit {

namespace {

int64_t grown(int64_t pixels, int64_t from, int64_t to) {
  const double factor = static_cast<double>(to) / static_cast<double>(std::max<int64_t>(from, 1));
  return std::max<int64_t>(1, std::llround(static_cast<double>(pixels) * factor));
}

}  // namespace

Size2d PicturePreprocessing::resized() const {
  if (sizes)
    return {grown(sizes->resized.height, sizes->input_size.height, input_size.height),
            grown(sizes->resized.width, sizes->input_size.width, input_size.width)};
  const auto scaled = [&](int64_t side) {
    return static_cast<int64_t>(std::floor(static_cast<double>(side) / crop_pct));
  };
  return {scaled(input_size.height), scaled(input_size.width)};
}

std::optional<int64_t> PicturePreprocessing::longest_side() const {
  if (!sizes || !sizes->longest_side) return std::nullopt;
  return grown(*sizes->longest_side, std::max(sizes->input_size.height, sizes->input_size.width),
               std::max(input_size.height, input_size.width));
}

void PicturePreprocessing::validate(int64_t channels) const {
  check_range("input height", input_size.height, 1, kMaxImageSide);
  check_range("input width", input_size.width, 1, kMaxImageSide);
  check_range("max_patches", max_patches, 0, kMaxTokens);
  if (max_patches) {
    check_range("height of the patches that pictures are made of", patch.height, 1, kMaxImageSide);
    check_range("width of the patches that pictures are made of", patch.width, 1, kMaxImageSide);
  }
  if (!(crop_pct > 0.01 && crop_pct <= 100))
    fail("model config: crop_pct is ", crop_pct, ", expected above 0.01 and at most 100");
  if (sizes) {
    check_range("height that sizes are for", sizes->input_size.height, 1, kMaxImageSide);
    check_range("width that sizes are for", sizes->input_size.width, 1, kMaxImageSide);
    check_range("resized height", sizes->resized.height, 1, kMaxImageSide);
    check_range("resized width", sizes->resized.width, 1, kMaxImageSide);
    check_range("longest side", sizes->longest_side.value_or(1), 1, kMaxImageSide);
  }
  if (!(std::isfinite(rescale) && rescale > 0))
    fail("model config: rescale_factor is ", rescale, ", expected a positive number");
  if (!fill.empty() && static_cast<int64_t>(fill.size()) != channels)
    fail("model config: fill has ", fill.size(), " values, expected one for each of ", channels,
         " channels");
  for (int64_t level : fill) check_range("fill", level, 0, 255);
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
