#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace cli {

/// The text as one word of a POSIX shell's command line.
std::string shell_quoted(std::string_view text);

/// " Did you mean 'x'?" for the candidate that is spelled most like `word`; empty if none is close.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

/// Breaks at spaces so that no line is longer than `width`, as long as its words are not.
std::vector<std::string> wrap(std::string_view text, std::size_t width);

}  // namespace cli
