#include <ATen/ATen.h>

#include <tome/cpu/cosine.h>

namespace tome::cpu {

void products(const float* a, int64_t na, const float* b, int64_t nb, int64_t dim, float* out) {
  const auto matrix = [](const float* data, int64_t rows, int64_t columns) {
    return at::from_blob(const_cast<float*>(data), {rows, columns});
  };
  auto result = matrix(out, na, nb);
  at::mm_out(result, matrix(a, na, dim), matrix(b, nb, dim).t());
}

}  // namespace tome::cpu
