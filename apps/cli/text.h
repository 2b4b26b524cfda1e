#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <vit/config.h>

namespace cli {

/// The parts between separators; an empty text has one empty part.
std::vector<std::string> split(std::string_view text, char separator);

std::string join(const std::vector<std::string>& parts, std::string_view separator);

/// The whole text as a decimal number; nothing if it is anything else or does not fit.
std::optional<int64_t> parse_integer(std::string_view text);
std::optional<double> parse_number(std::string_view text);

/// With that many digits after the point.
std::string fixed(double value, int digits);

/// "224x224": height and width.
std::string size_text(vit::Size2d size);

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

/// The text as one word of a POSIX shell's command line.
std::string shell_quoted(std::string_view text);

/// " Did you mean 'x'?" for the candidate that is spelled most like `word`; empty if none is close.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

/// Breaks at spaces so that no line is longer than `width`, as long as its words are not.
std::vector<std::string> wrap(std::string_view text, std::size_t width);

}  // namespace cli
