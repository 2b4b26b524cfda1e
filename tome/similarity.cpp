#include <limits>

#include <ATen/ATen.h>

#include <tome/similarity.h>

namespace tome {

at::Tensor normalized(const at::Tensor& metric) {
  const auto wide = metric.to(at::promote_types(metric.scalar_type(), at::kFloat));
  const auto norm = at::linalg_vector_norm(wide, 2, at::IntArrayRef{-1}, /*keepdim=*/true);
  return wide / norm.clamp_min(std::numeric_limits<float>::min());
}

}  // namespace tome
