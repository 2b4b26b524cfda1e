#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace base {

/// The parts between separators; an empty text has one empty part.
std::vector<std::string> split(std::string_view text, char separator);

std::string join(const std::vector<std::string>& parts, std::string_view separator);

/// The whole text as a decimal number; nothing if it is anything else or does not fit.
std::optional<int64_t> parse_integer(std::string_view text);
std::optional<double> parse_number(std::string_view text);

/// With that many digits after the point.
std::string fixed(double value, int digits);

/// "224x224"
std::string size_text(int64_t height, int64_t width);

/// 0.123 as "12%", with that many digits after the point.
std::string percent(double share, int digits = 0);

/// "4:05", "1:00:07".
std::string clock_text(double seconds);

/// "987", "16.1 MB".
std::string bytes(uint64_t count);

/// Columns that a UTF-8 text takes on a terminal, one for each code point.
std::size_t columns(std::string_view text);

/// Without the control characters that would let a file name move a terminal's cursor.
std::string printable(std::string_view text);

/// What an error message quotes of a name or value from a file, whose length nobody limits; control
/// characters become question marks.
std::string shortened(const std::string& text, std::size_t limit = 80);

/// The same in quotation marks.
std::string in_quotes(const std::string& text);

}  // namespace base
