#include <algorithm>

#include <vit/weights/shape.h>

namespace vit {

std::optional<int64_t> checked_bytes(c10::ArrayRef<int64_t> shape, int64_t element_size) {
  // Strides count empty dims as 1, so they can overflow although there is no element.
  int64_t span = element_size;
  bool empty = false;
  for (int64_t dim : shape) {
    if (dim < 0 || __builtin_mul_overflow(span, std::max<int64_t>(dim, 1), &span))
      return std::nullopt;
    empty = empty || dim == 0;
  }
  return empty ? 0 : span;
}

bool is_type_of_weights(at::ScalarType type) {
  return c10::isFloatingType(type) && type != at::kFloat4_e2m1fn_x2;  // two numbers in one
}

}  // namespace vit
