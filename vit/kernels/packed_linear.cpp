#include <algorithm>
#include <cmath>
#include <limits>

#include <ATen/ATen.h>

#include <vit/kernels/packed_linear.h>

namespace vit::kernels {
namespace {

/// One row of `n` weights as int8 with its scale, which is NaN where there are no such bytes.
float quantize_weights(const float* row, int64_t n, int8_t* out, float& sum) {
  float most = 0;
  bool finite = true;
  for (int64_t i = 0; i < n; ++i) {
    most = std::max(most, std::abs(row[i]));
    finite = finite && std::isfinite(row[i]);
  }
  if (!finite) {
    std::fill_n(out, n, int8_t{0});
    sum = 0;
    return std::numeric_limits<float>::quiet_NaN();
  }
  const float scale = most > 0 ? most / 127 : 1.0f;
  int64_t total = 0;
  for (int64_t i = 0; i < n; ++i) {
    out[i] = static_cast<int8_t>(std::lrint(row[i] / scale));
    total += out[i];
  }
  sum = static_cast<float>(total);
  return scale;
}

/// Rows [n, inputs] of any floating point type as `dtype`, with zeros after them up to `inner`.
at::Tensor padded_rows(const at::Tensor& rows, at::ScalarType dtype, int64_t inner) {
  if (rows.size(1) == inner) return rows.to(dtype).contiguous();
  auto padded = at::zeros({rows.size(0), inner}, dtype);
  padded.slice(1, 0, rows.size(1)).copy_(rows);
  return padded;
}

/// Places rows as the columns of a block of `width`, in VNNI layout: [words of a row][width].
void place_columns(const at::Tensor& rows, int64_t width, void* block) {
  const int64_t words = rows.size(1) * rows.element_size() / static_cast<int64_t>(sizeof(float));
  simd::pack_keys(static_cast<const float*>(rows.const_data_ptr()), rows.size(0), width, words,
                  width, static_cast<float*>(block));
}

}  // namespace

at::Tensor padded_vector(const at::Tensor& x, int64_t size) {
  auto out = at::zeros({simd::round_up(size)}, at::kFloat);
  if (x.defined()) out.slice(0, 0, size).copy_(x);
  return out;
}

PackedLinear::PackedLinear(const at::Tensor& weight, const at::Tensor& bias, Math math,
                           int64_t groups, PackedLinear memory)
    : math_(math), inner_(simd::round_up(weight.size(1))) {
  const int64_t outputs = weight.size(0) / groups;
  TORCH_CHECK(outputs * groups == weight.size(0), "PackedLinear: ", weight.size(0),
              " outputs are no ", groups, " groups");
  cut_ = {groups, simd::round_up(outputs)};
  for (int64_t i = 0; i < cut_.count(); ++i) {
    const Range columns = cut_.block(i);
    blocks_.push_back({columns.begin, columns.size(), columns.begin * inner_ * element_size(math)});
  }
  const int64_t bytes = columns() * inner_ * element_size(math);
  weights_ = memory.weights_.defined() && memory.nbytes() == bytes ? std::move(memory.weights_)
                                                                   : at::empty({bytes}, at::kByte);
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
      const int64_t row = group * outputs + first;
      pack_block(block, weight.slice(0, row, row + count));
    }
  }
}

void PackedLinear::pack_block(const Block& block, const at::Tensor& rows) {
  auto* to = weights_.mutable_data_ptr<uint8_t>() + block.offset;
  switch (math_) {
    case Math::fp32:
      return place_columns(padded_rows(rows, at::kFloat, inner_), block.width, to);
    case Math::bf16:
      return place_columns(padded_rows(rows, at::kBFloat16, inner_), block.width, to);
    case Math::int8: {
      const auto exact = padded_rows(rows, at::kFloat, inner_);
      auto quantized = at::empty(exact.sizes(), at::kChar);
      for (int64_t i = 0; i < exact.size(0); ++i)
        scales_.mutable_data_ptr<float>()[block.column + i] =
            quantize_weights(exact.const_data_ptr<float>() + i * inner_, inner_,
                             quantized.mutable_data_ptr<int8_t>() + i * inner_,
                             sums_.mutable_data_ptr<float>()[block.column + i]);
      return place_columns(quantized, block.width, to);
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
