#include <algorithm>
#include <charconv>
#include <utility>

#include <vit/error.h>
#include <vit/weights/files/npy_header.h>
#include <vit/weights/text.h>

namespace vit {
namespace {

// Behind the byte order. The ml_dtypes of JAX have no letters of their own: bfloat16 is written as
// two bytes without a type, and what has one byte cannot be told apart.
constexpr std::pair<std::string_view, at::ScalarType> kTypes[] = {
    {"f8", at::kDouble},         {"f4", at::kFloat}, {"f2", at::kHalf},   {"f1", at::kFloat8_e5m2},
    {"V2", at::kBFloat16},       {"V1", at::kBits8}, {"i8", at::kLong},   {"i4", at::kInt},
    {"i2", at::kShort},          {"i1", at::kChar},  {"u8", at::kUInt64}, {"u4", at::kUInt32},
    {"u2", at::kUInt16},         {"u1", at::kByte},  {"b1", at::kBool},   {"c8", at::kComplexFloat},
    {"c16", at::kComplexDouble},
};

/// Reads a dict literal of exactly the three keys that the format has, in any order.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& where) : rest_(text), where_(where) {}

  NpyHeader parse() {
    NpyHeader header;
    bool has_descr = false, has_order = false, has_shape = false;
    expect('{');
    while (!accept('}')) {
      const auto key = parse_string();
      expect(':');
      if (key == "descr" && !std::exchange(has_descr, true))
        parse_dtype(header);
      else if (key == "fortran_order" && !std::exchange(has_order, true))
        header.fortran_order = parse_boolean();
      else if (key == "shape" && !std::exchange(has_shape, true))
        header.shape = parse_shape();
      else
        bad("an unknown or repeated key");
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_space();
    if (!rest_.empty()) bad("something follows the dict");
    if (!has_descr || !has_order || !has_shape) bad("a key is missing");
    return header;
  }

 private:
  [[noreturn]] void bad(const char* what) const { fail(where_, ": bad array header: ", what); }

  void skip_space() {
    while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\n'))
      rest_.remove_prefix(1);
  }
  bool accept(char symbol) {
    skip_space();
    if (!rest_.starts_with(symbol)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void expect(char symbol) {
    if (!accept(symbol)) bad("no dict of descr, fortran_order and shape");
  }
  bool accept_word(std::string_view word) {
    skip_space();
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  std::string_view parse_string() {
    skip_space();
    const char quote = rest_.starts_with('"') ? '"' : '\'';
    expect(quote);
    const size_t end = rest_.find(quote);
    if (end == rest_.npos) bad("a string does not end");
    const auto text = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return text;
  }
  void parse_dtype(NpyHeader& header) {
    skip_space();
    if (!rest_.starts_with('\'') && !rest_.starts_with('"')) bad("the type is no simple one");
    const auto name = parse_string();
    const char order = name.empty() ? ' ' : name.front();
    for (const auto& [known, dtype] : kTypes)
      if (const bool has_order = c10::elementSize(dtype) > 1 && !known.starts_with('V');
          name.substr(std::min<size_t>(1, name.size())) == known &&
          (order == '<' || order == (has_order ? '>' : '|'))) {
        header.dtype = dtype;
        header.big_endian = order == '>';
        return;
      }
    fail(where_, ": arrays of type \"", shortened(std::string(name)), "\" are not supported");
  }
  bool parse_boolean() {
    if (accept_word("True")) return true;
    if (!accept_word("False")) bad("fortran_order is neither True nor False");
    return false;
  }
  std::vector<int64_t> parse_shape() {
    constexpr size_t kMaxDims = 64;
    std::vector<int64_t> shape;
    expect('(');
    while (!accept(')')) {
      skip_space();
      int64_t dim = -1;
      const auto parsed = std::from_chars(rest_.data(), rest_.data() + rest_.size(), dim);
      if (parsed.ec != std::errc() || dim < 0) bad("the shape is no tuple of numbers");
      rest_.remove_prefix(static_cast<size_t>(parsed.ptr - rest_.data()));
      shape.push_back(dim);
      if (shape.size() > kMaxDims) bad("the shape has too many dims");
      // (5) is a number to Python, (5,) a tuple.
      if (accept(',')) continue;
      if (shape.size() == 1) bad("the shape is no tuple");
      expect(')');
      break;
    }
    return shape;
  }

  std::string_view rest_;
  const std::string& where_;
};

}  // namespace

NpyHeader parse_npy_header(std::string_view text, const std::string& where) {
  return HeaderParser(text, where).parse();
}

}  // namespace vit
