#include <vit/weights/text.h>

namespace vit {

std::string shortened(const std::string& text, size_t limit) {
  if (text.size() <= limit) return text;
  size_t end = limit;
  while (end > 0 && (text[end] & 0xC0) == 0x80) --end;  // not inside a UTF-8 sequence
  return text.substr(0, end) + "…";
}

std::string in_quotes(const std::string& text) {
  std::string result = "\"";
  result += shortened(text);
  result += '"';
  return result;
}

std::string shape_text(c10::ArrayRef<int64_t> shape) {
  constexpr size_t kMaxDims = 16;
  std::string text = "[";
  for (size_t i = 0; i < shape.size() && i < kMaxDims; ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + (shape.size() > kMaxDims ? ", …]" : "]");
}

}  // namespace vit
