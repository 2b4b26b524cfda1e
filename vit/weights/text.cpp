#include <vit/weights/text.h>

namespace vit {

std::string shape_text(c10::ArrayRef<int64_t> shape) {
  constexpr size_t kMaxDims = 16;
  std::string text = "[";
  for (size_t i = 0; i < shape.size() && i < kMaxDims; ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + (shape.size() > kMaxDims ? ", …]" : "]");
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const auto first = static_cast<unsigned char>(text.front());
    text.remove_prefix(1);
    if (first < 0x80) continue;
    // How many bytes follow, and which range the first of them is in.
    size_t more = 0;
    unsigned char low = 0x80, high = 0xBF;
    if (first >= 0xC2 && first <= 0xDF) {
      more = 1;
    } else if (first >= 0xE0 && first <= 0xEF) {
      more = 2;
      if (first == 0xE0) low = 0xA0;
      if (first == 0xED) high = 0x9F;
    } else if (first >= 0xF0 && first <= 0xF4) {
      more = 3;
      if (first == 0xF0) low = 0x90;
      if (first == 0xF4) high = 0x8F;
    } else {
      return false;
    }
    if (text.size() < more) return false;
    for (size_t i = 0; i < more; ++i) {
      const auto byte = static_cast<unsigned char>(text[i]);
      if (byte < low || byte > high) return false;
      low = 0x80;
      high = 0xBF;
    }
    text.remove_prefix(more);
  }
  return true;
}

}  // namespace vit
