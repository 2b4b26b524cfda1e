#include <vit/weights/text.h>

namespace vit {

std::string shape_text(c10::ArrayRef<int64_t> shape) {
  constexpr size_t kMaxDims = 16;
  std::string text = "[";
  for (size_t i = 0; i < shape.size() && i < kMaxDims; ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + (shape.size() > kMaxDims ? ", …]" : "]");
}

}  // namespace vit
