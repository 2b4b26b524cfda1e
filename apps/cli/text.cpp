#include <algorithm>

#include <apps/cli/text.h>
#include <base/spelling.h>
#include <base/text.h>

namespace cli {

std::string shell_quoted(std::string_view text) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,+@%";
  if (!text.empty() && text.find_first_not_of(kPlain) == text.npos) return std::string(text);
  std::string quoted = "'";
  for (const char letter : text) {
    if (letter == '\'')
      quoted += "'\\''";
    else
      quoted += letter;
  }
  return quoted + "'";
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
  const std::string* best = nullptr;
  // Further apart than this, a suggestion confuses more than it helps.
  std::size_t fewest = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t count = base::edit_distance(word, candidate);
    if (count < fewest) {
      fewest = count;
      best = &candidate;
    }
  }
  return best ? " Did you mean '" + *best + "'?" : std::string();
}

std::vector<std::string> wrap(std::string_view text, std::size_t width) {
  std::vector<std::string> lines(1);
  for (const std::string& word : base::split(text, ' ')) {
    std::string& line = lines.back();
    if (!line.empty() && base::columns(line) + 1 + base::columns(word) > width)
      lines.push_back(word);
    else
      line += (line.empty() ? "" : " ") + word;
  }
  return lines;
}

}  // namespace cli
