#include "train/augment/contact_sheet.h"

#include <algorithm>

#include <ATen/ATen.h>

#include <base/error.h>
#include <media/preprocess.h>

namespace train {
namespace {

constexpr int64_t kGap = 4;             // pixels between the cells
constexpr int64_t kSmallestCell = 128;  // pixels, to which small inputs are enlarged
constexpr int64_t kMaxSide = 20'000;    // pixels of the sheet

/// What a normalised input looks like: uint8 [height, width, C].
at::Tensor denormalize(const at::Tensor& pixels, const vit::PicturePreprocessing& how) {
  const auto column = [](const std::vector<double>& values) {
    return at::tensor(values, at::kFloat).reshape({-1, 1, 1});
  };
  const at::Tensor values = (pixels * column(how.std) + column(how.mean)) / how.rescale;
  return values.round().clamp(0, 255).to(at::kByte).permute({1, 2, 0});
}

}  // namespace

at::Tensor contact_sheet(const std::vector<at::Tensor>& pictures, const Augment& augment,
                         int64_t views, uint64_t seed) {
  const vit::PicturePreprocessing& how = augment.preprocessing();
  const auto [height, width] = how.input_size;
  const int64_t scale = (kSmallestCell + std::max(height, width) - 1) / std::max(height, width);
  const int64_t row_step = height * scale + kGap, column_step = width * scale + kGap;
  const auto rows = static_cast<int64_t>(pictures.size());
  const int64_t most_rows = kMaxSide / row_step, most_views = kMaxSide / column_step - 1;
  if (rows < 1 || rows > most_rows || views < 1 || views > most_views)
    base::fail("a contact sheet of ", rows, " pictures with ", views, " views each: expected 1 to ",
               most_rows, " and 1 to ", most_views, " for inputs of ", height, " x ", width);

  at::Tensor sheet =
      at::full({rows * row_step - kGap, (1 + views) * column_step - kGap, 3}, 255, at::kByte);
  Random seeds(seed);
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t column = 0; column <= views; ++column) {
      const at::Tensor& picture = pictures[static_cast<size_t>(row)];
      const at::Tensor cell = column == 0 ? media::resize_and_crop(picture, how)
                                          : denormalize(augment(picture, seeds.bits()), how);
      sheet.narrow(0, row * row_step, height * scale)
          .narrow(1, column * column_step, width * scale)
          .copy_(cell.expand({height, width, 3})
                     .repeat_interleave(scale, 0)
                     .repeat_interleave(scale, 1));
    }
  return sheet;
}

}  // namespace train
