#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>
#include <c10/util/BFloat16.h>

#include <vit/kernels/packed_linear.h>

namespace vit::kernels {
namespace {

/// One row of `n` weights as int8 with its scale.
float quantize_weights(const float* row, int64_t n, int8_t* out, float& sum) {
  float most = 0;
  for (int64_t i = 0; i < n; ++i) most = std::max(most, std::abs(row[i]));
  const float scale = most > 0 ? most / 127 : 1.0f;
  int64_t total = 0;
  for (int64_t i = 0; i < n; ++i) {
    out[i] = static_cast<int8_t>(std::lrint(row[i] / scale));
    total += out[i];
  }
  sum = static_cast<float>(total);
  return scale;
}

/// Places rows of weights as the columns of a block in VNNI layout: [inputs /
/// kGroup][width][kGroup].
template <int64_t kGroup, typename From, typename To>
void place_columns(const From* weight, int64_t inputs, int64_t outputs, int64_t width, To* block) {
  // So few inputs at a time that their part of the block stays in the cache from row to row.
  constexpr int64_t kInputs = 64;
  for (int64_t first = 0; first < inputs; first += kInputs) {
    const int64_t end = std::min(first + kInputs, inputs);
    for (int64_t output = 0; output < outputs; ++output) {
      const From* row = weight + output * inputs;
      for (int64_t i = first; i < end; ++i)
        block[(i / kGroup * width + output) * kGroup + i % kGroup] = static_cast<To>(row[i]);
    }
  }
}

}  // namespace

at::Tensor padded_vector(const at::Tensor& x, int64_t size) {
  auto out = at::zeros({simd::round_up(size)}, at::kFloat);
  if (x.defined()) out.slice(0, 0, size).copy_(x);
  return out;
}

PackedLinear::PackedLinear(const at::Tensor& weight, const at::Tensor& bias, Math math,
                           int64_t groups)
    : math_(math), inner_(simd::round_up(weight.size(1))) {
  const int64_t outputs = weight.size(0) / groups, inputs = weight.size(1);
  TORCH_CHECK(outputs * groups == weight.size(0), "PackedLinear: ", weight.size(0),
              " outputs are no ", groups, " groups");
  cut_ = {groups, simd::round_up(outputs)};
  for (int64_t i = 0; i < cut_.count(); ++i) {
    const Range columns = cut_.block(i);
    blocks_.push_back({columns.begin, columns.size(), columns.begin * inner_ * element_size(math)});
  }
  weights_ = at::zeros({columns() * inner_ * element_size(math)}, at::kByte);
  bias_ = at::zeros({groups, group_columns()}, at::kFloat);
  if (bias.defined()) bias_.slice(1, 0, outputs).copy_(bias.view({groups, outputs}));
  if (math == Math::int8) {
    scales_ = at::ones({columns()}, at::kFloat);
    sums_ = at::zeros({columns()}, at::kFloat);
  }
  // A group at a time, so that no second copy of the whole layer is ever in memory.
  for (int64_t group = 0; group < groups; ++group) {
    for (int64_t i = 0; i < blocks_per_group(); ++i) {
      const Block& block = blocks_[group * blocks_per_group() + i];
      const int64_t first = i * kBlockColumns;
      const int64_t count = std::min(block.width, outputs - first);
      if (count <= 0) continue;
      const int64_t row = group * outputs + first;
      const auto rows = weight.slice(0, row, row + count).to(at::kFloat).contiguous();
      pack_block(block, rows.const_data_ptr<float>(), inputs, count);
    }
  }
}

void PackedLinear::pack_block(const Block& block, const float* weight, int64_t inputs,
                              int64_t outputs) {
  auto* bytes = weights_.mutable_data_ptr<uint8_t>() + block.offset;
  switch (math_) {
    case Math::fp32:
      place_columns<group_size(Math::fp32)>(weight, inputs, outputs, block.width,
                                            reinterpret_cast<float*>(bytes));
      break;
    case Math::bf16:
      place_columns<group_size(Math::bf16)>(weight, inputs, outputs, block.width,
                                            reinterpret_cast<at::BFloat16*>(bytes));
      break;
    case Math::int8: {
      std::vector<int8_t> quantized(static_cast<size_t>(outputs * inputs));
      for (int64_t output = 0; output < outputs; ++output) {
        const int64_t column = block.column + output;
        scales_.mutable_data_ptr<float>()[column] =
            quantize_weights(weight + output * inputs, inputs, quantized.data() + output * inputs,
                             sums_.mutable_data_ptr<float>()[column]);
      }
      place_columns<group_size(Math::int8)>(quantized.data(), inputs, outputs, block.width,
                                            reinterpret_cast<int8_t*>(bytes));
      break;
    }
  }
}

simd::Tile PackedLinear::multiply_block(const Block& block, const Operand& a, int64_t first,
                                        int64_t rows, float* to, int64_t ld, bool add) const {
  const auto* from = static_cast<const uint8_t*>(a.data) + first * a.ld * element_size(math_);
  multiply(math_, rows, block.width, inner_, from, a.ld,
           weights_.const_data_ptr<uint8_t>() + block.offset, to, ld, add);
  simd::Tile tile{to, ld, rows, block.width};
  if (math_ == Math::int8)
    tile.scales = {a.scales + first, scales_.const_data_ptr<float>() + block.column,
                   sums_.const_data_ptr<float>() + block.column};
  return tile;
}

}  // namespace vit::kernels
