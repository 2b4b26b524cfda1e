// Protocol 0, which is text: a line for each number, string and name.
#include <charconv>
#include <cstring>

#include <vit/weights/files/pickle.h>
#include <vit/weights/files/pickle_opcodes.h>

namespace vit {

using namespace pickle_opcode;

namespace {

void append_utf8(std::string& text, uint32_t code) {
  const auto put = [&](uint32_t byte) { text += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6);
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

/// Reads exactly `digits` hexadecimal digits off the front; false if there are fewer.
bool take_hex(std::string_view& rest, size_t digits, uint32_t& code) {
  if (rest.size() < digits) return false;
  const auto parsed = std::from_chars(rest.data(), rest.data() + digits, code, 16);
  rest.remove_prefix(digits);
  return parsed.ec == std::errc() && parsed.ptr == rest.data();
}

template <typename Integer>
bool parse_decimal(std::string_view text, Integer& number) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
}

}  // namespace

void PickleMachine::push_decoded(Kind kind, std::string text) {
  decoded_.push_back(std::move(text));
  push({kind, kDecoded | static_cast<uint32_t>(decoded_.size() - 1),
        static_cast<int64_t>(decoded_.back().size())});
}

void PickleMachine::push_integer(std::string_view digits) {
  int64_t number = 0;
  if (parse_decimal(digits, number)) return push({Kind::integer, 0, number});
  const bool negative = digits.starts_with('-');
  if (digits.substr(negative).empty() ||
      digits.find_first_not_of("0123456789", negative) != digits.npos)
    bad("what should be a number is none");
  // Up to 37 digits fit 128 bits; nobody needs the value of larger or negative ones.
  constexpr size_t kMaxDigits = 37;
  if (negative || digits.size() > kMaxDigits) return push({Kind::opaque, 0, 0});
  unsigned __int128 wide = 0;
  for (const char digit : digits) wide = wide * 10 + static_cast<unsigned>(digit - '0');
  std::string bytes;  // as the binary opcodes have it: little-endian, of no more than needed
  for (; wide > 0; wide >>= 8) bytes += static_cast<char>(wide & 0xFF);
  push_decoded(Kind::big_integer, std::move(bytes));
}

// "raw-unicode-escape": Latin-1 and \uXXXX, \UXXXXXXXX.
void PickleMachine::push_unicode(std::string_view line) {
  std::string text;
  while (!line.empty()) {
    uint32_t code = static_cast<unsigned char>(line.front());
    line.remove_prefix(1);
    if (code == '\\' && (line.starts_with('u') || line.starts_with('U'))) {
      const size_t digits = line.starts_with('u') ? 4 : 8;
      line.remove_prefix(1);
      constexpr uint32_t kLast = 0x10FFFF;
      if (!take_hex(line, digits, code) || code > kLast) bad("a text has a broken escape");
    }
    append_utf8(text, code);
  }
  push_decoded(Kind::text, std::move(text));
}

// A string as Python 2 prints it.
void PickleMachine::push_quoted(std::string_view line) {
  if (line.size() < 2 || (line.front() != '\'' && line.front() != '"') ||
      line.front() != line.back())
    bad("a string is not in quotation marks");
  line = line.substr(1, line.size() - 2);
  std::string text;
  while (!line.empty()) {
    char c = line.front();
    line.remove_prefix(1);
    if (c == '\\') {
      constexpr std::string_view kEscapes = "\\'\"ntr", kMeanings = "\\'\"\n\t\r";
      const size_t known = line.empty() ? kEscapes.npos : kEscapes.find(line.front());
      uint32_t code = 0;
      if (known != kEscapes.npos) {
        c = kMeanings[known];
        line.remove_prefix(1);
      } else if (line.starts_with('x') && (line.remove_prefix(1), take_hex(line, 2, code))) {
        c = static_cast<char>(code);
      } else {
        bad("a string has a broken escape");
      }
    }
    text += c;
  }
  push_decoded(Kind::text, std::move(text));
}

bool PickleMachine::step_protocol_0(uint8_t opcode) {
  switch (opcode) {
    case kInt:
      if (const auto line = take_line(); line == "00" || line == "01")
        push({Kind::boolean, 0, line == "01"});
      else
        push_integer(line);
      return true;
    case kLong: {
      auto line = take_line();
      if (line.ends_with('L')) line.remove_suffix(1);
      push_integer(line);
      return true;
    }
    case kFloat:
      if (take_line().find_first_not_of("0123456789+-.einfa") != std::string_view::npos)
        bad("what should be a number is none");
      push({Kind::real, 0, 0});
      return true;
    case kString:
      push_quoted(take_line());
      return true;
    case kUnicode:
      push_unicode(take_line());
      return true;
    case kPersId:
      push(world_.persistent(*this, take_line()));
      return true;
    case kGet:
    case kPut: {
      uint64_t slot = 0;
      if (!parse_decimal(take_line(), slot)) bad("what should be a memo slot is no number");
      opcode == kGet ? recall(slot) : remember(slot);
      return true;
    }
    default:
      return false;
  }
}

}  // namespace vit
