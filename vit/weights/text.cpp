#include <algorithm>

#include <vit/weights/text.h>

namespace vit {

std::string shortened(const std::string& text, size_t limit) {
  size_t end = std::min(text.size(), limit);
  while (end > 0 && end < text.size() && (text[end] & 0xC0) == 0x80)
    --end;  // not inside a UTF-8 sequence
  std::string shown = text.substr(0, end);
  // NUL would end the message, others could command the terminal.
  std::replace_if(
      shown.begin(), shown.end(), [](unsigned char c) { return c < ' ' || c == 127; }, '?');
  return end < text.size() ? shown + "…" : shown;
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
