#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <vit/kernels/prefetch.h>
#include <vit/training/branch.h>
#include <vit/training/simd.h>

namespace vit::training {
namespace {

// All passes of all models: what one leaves, the next one finds.
kernels::WorkspacePool& workspaces() {
  static kernels::WorkspacePool pool;
  return pool;
}

}  // namespace

Pass::Pass(const BranchData& data, int64_t row_bytes)
    : loan_(workspaces()),
      threads_(at::in_parallel_region() ? 1 : at::get_num_threads()),
      chunk_rows_(kernels::rows_together(row_bytes)),
      chunks_(data.rows(), threads_, chunk_rows_) {
  if (!data.path_factors) return;
  factors_ = workspace().take<float>(data.rows());
  for (int64_t i = 0; i < data.rows(); ++i) factors_[i] = data.path_factors[i / data.tokens];
}

template <typename T>
void normalize(const BranchData& data, const Chunk& chunk, T* out) {
  for (int64_t i = 0; i < chunk.rows; ++i)
    normalize_row(data.norm, data.x + (chunk.first + i) * data.dim, data.dim, out + i * data.dim);
}

template <typename T>
void add_to_tokens(const BranchData& data, const Pass& pass, const Chunk& chunk, const T* operand,
                   const PackedMatrix<T>& layer, const float* bias, float* tile, float* out) {
  for (int64_t i = 0; i < layer.blocks(); ++i) {
    const auto block = layer.block(i);
    each_tile(chunk.rows, [&](int64_t row, int64_t count) {
      const int64_t at = (chunk.first + row) * data.dim + block.begin;
      kernels::prefetch_rows(data.x + at, data.dim, count, block.size());
      kernels::prefetch_rows(out + at, data.dim, count, block.size());
      multiply_block(operand + row * layer.inner, layer.inner, count, layer, block, tile,
                     block.size());
      simd::add_branch({tile, block.size(), count, block.size()},
                       {bias + block.begin, data.gamma ? data.gamma + block.begin : nullptr,
                        pass.row_factors(chunk.first + row)},
                       data.x + at, out + at, data.dim);
    });
  }
}

template <typename T>
void narrow_gradient(const BranchData& data, const Pass& pass, const Chunk& chunk,
                     const float* gradient, T* out) {
  const float one = 1.0f;
  const float* factors = pass.row_factors(chunk.first);
  for (int64_t i = 0; i < chunk.rows; ++i)
    simd::scale_rows({gradient + (chunk.first + i) * data.dim, data.dim, 1, data.dim},
                     factors ? factors + i : &one, out + i * data.dim, data.dim);
}

VectorGradient::VectorGradient(const Pass& pass, int64_t size)
    : rows_(at::zeros({pass.chunks().size(), size}, at::kFloat)) {}

float* VectorGradient::of(const Chunk& chunk) const {
  return rows_.mutable_data_ptr<float>() + chunk.index * rows_.size(1);
}

at::Tensor VectorGradient::sum() const { return rows_.sum(0); }

NormGradientSums::NormGradientSums(const Pass& pass, const NormData& norm, int64_t dim)
    : norm_(norm), dim_(dim) {
  if (norm) weight_.emplace(pass, dim);
  if (norm.bias) bias_.emplace(pass, dim);
}

void NormGradientSums::add(const Chunk& chunk, const simd::NormRow& row) const {
  normalize_row_backward(norm_, row, dim_, weight_->of(chunk), bias_ ? bias_->of(chunk) : nullptr);
}

NormGradients NormGradientSums::sum() const {
  return {weight_ ? weight_->sum() : at::Tensor(), bias_ ? bias_->sum() : at::Tensor()};
}

void normalize_backward(const BranchData& data, const Chunk& chunk, const float* dnormed,
                        const float* gradient, float* dx, const NormGradientSums& norm) {
  for (int64_t i = 0; i < chunk.rows; ++i) {
    const int64_t at = (chunk.first + i) * data.dim;
    norm.add(chunk, {data.x + at, dnormed + i * data.dim, gradient + at, dx + at});
  }
}

LastLayerGradients scaled_layer_gradients(const at::Tensor& weight, const at::Tensor& bias,
                                          const at::Tensor& gamma, const at::Tensor& dweight,
                                          const at::Tensor& dbias) {
  if (!gamma.defined()) return {dweight, dbias, {}};
  if (!dweight.defined()) return {{}, dbias * gamma, {}};
  // The output need not be known: its sum with any weights is a sum over the parameters.
  auto dgamma = (weight * dweight).sum(1);
  if (bias.defined()) dgamma += bias * dbias;
  return {dweight * gamma.unsqueeze(1), dbias * gamma, dgamma};
}

template void normalize(const BranchData&, const Chunk&, float*);
template void normalize(const BranchData&, const Chunk&, simd::Bf16*);
template void add_to_tokens(const BranchData&, const Pass&, const Chunk&, const float*,
                            const PackedMatrix<float>&, const float*, float*, float*);
template void add_to_tokens(const BranchData&, const Pass&, const Chunk&, const simd::Bf16*,
                            const PackedMatrix<simd::Bf16>&, const float*, float*, float*);
template void narrow_gradient(const BranchData&, const Pass&, const Chunk&, const float*, float*);
template void narrow_gradient(const BranchData&, const Pass&, const Chunk&, const float*,
                              simd::Bf16*);

}  // namespace vit::training
