#include <ATen/ATen.h>

#include <vit/kernels/metric_linear.h>
#include <vit/kernels/simd.h>
#include <vit/kernels/tile_rows.h>

namespace vit::kernels {

MetricLinear::MetricLinear(const at::Tensor& weight, const at::Tensor& bias, Math math)
    : linear_(weight, bias, math) {
  if (math == Math::fp32) return;
  const auto exact = weight.to(at::kFloat);
  rest_.emplace(exact - exact.to(at::kBFloat16).to(at::kFloat), at::Tensor(), math);
}

void MetricLinear::project(const Operand& operand, const Operand& rest, int64_t rows, float* tile,
                           float* out, int64_t out_ld) const {
  each_tile(rows, [&](int64_t row, int64_t count) {
    for (int64_t i = 0; i < linear_.blocks_per_group(); ++i) {
      const auto& block = linear_.block(i);
      const auto sums = linear_.multiply_block(block, operand, row, count, tile, block.width);
      if (rest_) {
        linear_.multiply_block(block, rest, row, count, tile, block.width, /*add=*/true);
        rest_->multiply_block(block, operand, row, count, tile, block.width, /*add=*/true);
      }
      simd::store(sums, linear_.bias() + block.column, out + row * out_ld + block.column, out_ld);
    }
  });
}

}  // namespace vit::kernels
