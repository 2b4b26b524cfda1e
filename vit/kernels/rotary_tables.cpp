#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include <ATen/ATen.h>

#include <vit/error.h>
#include <vit/kernels/rotary_tables.h>

namespace vit::kernels {
namespace {

constexpr int64_t kMaxAxes = 3;

/// Numbers of a row of sines or cosines: a pair for all channels that a head has room for.
int64_t padded_angles(const KernelBlock& block) {
  return simd::round_up(simd::round_up(block.head_dim()) / 2);
}

/// Each axis has angles of its own, at frequencies that fall from 1 to about 1 / base.
at::Tensor axial_frequencies(const RotaryConfig& config, int64_t angles, int64_t padded) {
  auto frequencies = at::zeros({1, config.axes, padded}, at::kFloat);
  const int64_t count = angles / config.axes;
  const double unit =
      config.coordinates == RotaryCoordinates::centered ? 2 * std::numbers::pi : 1.0;
  for (int64_t axis = 0; axis < config.axes; ++axis) {
    // Rows and columns, the last two axes, may change places.
    const bool swaps = config.columns_first && axis + 2 >= config.axes;
    const int64_t place = swaps ? 2 * config.axes - 3 - axis : axis;
    float* to = frequencies[0][axis].mutable_data_ptr<float>() + place * count;
    for (int64_t k = 0; k < count; ++k)
      to[k] = static_cast<float>(
          std::pow(config.base, -static_cast<double>(k) / static_cast<double>(count)) * unit);
  }
  return frequencies;
}

float coordinate(const RotaryConfig& config, float place, int64_t size, int64_t reference) {
  const auto extent = static_cast<float>(size);
  switch (config.coordinates) {
    case RotaryCoordinates::index: {
      const float shifted = place + static_cast<float>(config.offset);
      return reference ? shifted / extent * static_cast<float>(reference) : shifted;
    }
    case RotaryCoordinates::centered:
      return (place + 0.5f) / extent * 2 - 1;
  }
  fail("kernels: unknown coordinates ", static_cast<int>(config.coordinates));
}

simd::RotatedPairs pairs_of(RotaryLayout layout) {
  switch (layout) {
    case RotaryLayout::half:
      return simd::RotatedPairs::halves;
    case RotaryLayout::interleaved:
      return simd::RotatedPairs::neighbours;
    case RotaryLayout::interleaved_tiled:
      return simd::RotatedPairs::neighbours_apart;
  }
  fail("kernels: unknown rotary layout ", static_cast<int>(layout));
}

}  // namespace

RotaryFrequencies packed_frequencies(const KernelBlock& block, const at::Tensor& learned,
                                     const at::Tensor& class_angles) {
  RotaryFrequencies result;
  if (!block.rotary) return result;
  const int64_t angles = block.rotary->angles(block.head_dim()), padded = padded_angles(block);
  if (learned.defined()) {
    // Of columns, then of rows; places are rows, then columns.
    result.of_axes = at::zeros({block.num_heads, 2, padded}, at::kFloat);
    result.of_axes.slice(2, 0, angles).copy_(learned.detach().flip(0).transpose(0, 1));
  } else {
    result.of_axes = axial_frequencies(*block.rotary, angles, padded);
  }
  if (class_angles.defined()) {
    result.class_angles = at::zeros({padded}, at::kFloat);
    result.class_angles.slice(0, 0, angles).copy_(class_angles.detach());
  }
  return result;
}

RotaryTables::RotaryTables(const KernelBlock& block, Extent grid, const Sizes& sizes,
                           Workspace& workspace)
    : config_(*block.rotary),
      grid_(grid),
      tokens_(sizes.tokens),
      prefix_tokens_(sizes.prefix_tokens),
      angles_(config_.angles(block.head_dim())),
      padded_(padded_angles(block)),
      heads_(config_.frequencies == vit::RotaryFrequencies::learned ? block.num_heads : 1),
      head_size_((config_.layout == RotaryLayout::interleaved_tiled ? 4 : 2) * padded_),
      row_size_(heads_ * head_size_),
      shared_(sizes.shared) {
  if (sizes.shared) common_ = workspace.take<float>(tokens_ * row_size_);
  if (!sizes.shared || sizes.merges)
    own_ = workspace.take<float>(sizes.samples * tokens_ * row_size_);
}

void RotaryTables::coordinates(const float* place, float* out) const {
  const std::array<int64_t, kMaxAxes> sizes{grid_.frames, grid_.rows, grid_.cols};
  const std::array<int64_t, kMaxAxes> references{0, config_.reference_rows, config_.reference_cols};
  for (int64_t axis = 0; axis < config_.axes; ++axis) {
    const auto of = static_cast<std::size_t>(kMaxAxes - config_.axes + axis);
    out[axis] = coordinate(config_, place[axis], sizes[of], references[of]);
  }
}

/// Two angles for each pair: element i of an axis has angle i modulo their number.
void RotaryTables::spread(float* to) const {
  std::array<float, kMaxHeadDim> once;
  const int64_t count = angles_ / config_.axes;
  for (float* table : {to, to + padded_}) {  // sines, cosines
    float* second = table + 2 * padded_;
    std::copy_n(table, padded_, once.data());
    std::copy_n(table, padded_, second);
    for (int64_t pair = 0; pair < angles_; ++pair) {
      const int64_t axis = pair / count, element = 2 * (pair % count);
      table[pair] = once[static_cast<std::size_t>(axis * count + element % count)];
      second[pair] = once[static_cast<std::size_t>(axis * count + (element + 1) % count)];
    }
  }
}

void RotaryTables::compute_head(const RotaryFrequencies& frequencies, int64_t head, int64_t token,
                                const float* place, float* to) const {
  float *sin = to, *cos = to + padded_;
  const bool is_class = token == 0 && prefix_tokens_ > 0 && frequencies.class_angles.defined();
  if (token < prefix_tokens_ && !is_class) {
    std::fill_n(sin, padded_, 0.0f);
    std::fill_n(cos, padded_, 1.0f);
  } else if (is_class) {
    const float whole = 1;
    simd::rotary_angles(&whole, frequencies.class_angles.const_data_ptr<float>(), 1, padded_, sin,
                        cos);
  } else {
    std::array<float, kMaxAxes> at;
    coordinates(place, at.data());
    simd::rotary_angles(at.data(),
                        frequencies.of_axes.const_data_ptr<float>() + head * config_.axes * padded_,
                        config_.axes, padded_, sin, cos);
  }
  if (config_.layout == RotaryLayout::interleaved_tiled) spread(to);
}

void RotaryTables::compute(const RotaryFrequencies& frequencies, int64_t sample, int64_t token,
                           const float* place) {
  for (int64_t head = 0; head < heads_; ++head)
    compute_head(frequencies, head, token, place, row(sample, token) + head * head_size_);
}

void RotaryTables::compute_mean(const RotaryFrequencies& frequencies, int64_t sample, int64_t token,
                                const float* places, const int64_t* members, int64_t count) {
  std::array<float, 2 * kMaxHeadDim> one;  // 4 tables of half a head at most
  for (int64_t head = 0; head < heads_; ++head) {
    float* to = row(sample, token) + head * head_size_;
    std::fill_n(to, head_size_, 0.0f);
    for (int64_t i = 0; i < count; ++i) {
      compute_head(frequencies, head, token, places + members[i] * config_.axes, one.data());
      for (int64_t j = 0; j < head_size_; ++j)
        to[j] += one[static_cast<std::size_t>(j)] / static_cast<float>(count);
    }
  }
}

simd::Rotation RotaryTables::rotation(int64_t sample, int64_t token, int64_t head) const {
  return {row(sample, token) + (heads_ > 1 ? head * head_size_ : 0), row_size_, padded_, angles_,
          pairs_of(config_.layout)};
}

}  // namespace vit::kernels
