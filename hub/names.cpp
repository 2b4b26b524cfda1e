#include <algorithm>
#include <array>

#include <base/error.h>
#include <base/text.h>
#include <hub/names.h>

namespace hub {
namespace {

constexpr std::size_t kMaxRepoPart = 96;
constexpr std::size_t kMaxRevision = 255;
constexpr std::size_t kMaxFilePart = 255;  // what file systems allow
constexpr std::size_t kMaxFileName = 1024;
constexpr std::size_t kCommitDigits = 40;

// Not std::isalnum(), which depends on the locale.
bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_name_character(char c) { return is_letter_or_digit(c) || c == '-' || c == '_' || c == '.'; }

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

// A user, an organisation or a model.
bool is_repo_part(std::string_view part) {
  const auto is_edge = [](char c) { return is_letter_or_digit(c) || c == '_'; };
  return !part.empty() && part.size() <= kMaxRepoPart && is_edge(part.front()) &&
         is_edge(part.back()) && std::all_of(part.begin(), part.end(), is_name_character);
}

bool is_repo_id(const std::string& id) {
  const std::vector<std::string> parts = base::split(id, '/');
  return parts.size() <= 2 && std::all_of(parts.begin(), parts.end(), is_repo_part) &&
         id.find("--") == std::string::npos && id.find("..") == std::string::npos &&
         !id.ends_with(".git");
}

// Between slashes, on the way to a file of ours.
bool is_safe_part(std::string_view part) {
  return !part.empty() && part != "." && part != ".." && part.size() <= kMaxFilePart &&
         std::none_of(part.begin(), part.end(), [](char c) { return is_control(c) || c == '\\'; });
}

bool is_safe_path(const std::string& path, std::size_t longest) {
  const std::vector<std::string> parts = base::split(path, '/');
  return path.size() <= longest && std::all_of(parts.begin(), parts.end(), is_safe_part);
}

// For messages: no control characters, and not all of a very long text.
std::string shown(const std::string& text) {
  constexpr std::size_t kShown = 120;
  return base::printable(text.size() > kShown ? text.substr(0, kShown) + "..." : text);
}

}  // namespace

Repo parse_repo(const std::string& text) {
  const std::size_t at = text.find('@');
  Repo repo;
  repo.id = text.substr(0, at);
  if (!is_repo_id(repo.id))
    base::fail("model '", shown(text),
               "': expected org/name or org/name@revision, such as "
               "timm/vit_base_patch16_224.augreg2_in21k_ft_in1k");
  if (at != std::string::npos) {
    repo.revision = text.substr(at + 1);
    check_revision(repo.revision);
  }
  return repo;
}

void check_revision(const std::string& revision) {
  if (!is_safe_path(revision, kMaxRevision))
    base::fail("revision '", shown(revision), "': expected a branch, a tag or a commit");
}

void check_file_name(const std::string& name) {
  if (!is_safe_path(name, kMaxFileName))
    base::fail(
        "the server lists a file '", shown(name),
        "', which could be written outside of the cache; nothing of this model is downloaded");
}

bool is_commit(std::string_view revision) {
  return revision.size() == kCommitDigits &&
         std::all_of(revision.begin(), revision.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_plain_name(std::string_view name) {
  constexpr std::size_t kMaxPlainName = 128;
  return !name.empty() && name.size() <= kMaxPlainName && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), is_name_character);
}

std::string url_quoted(std::string_view text, std::string_view keep) {
  static constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string result;
  for (char c : text) {
    if (is_name_character(c) || c == '~' || keep.find(c) != std::string_view::npos) {
      result += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    result += {'%', kDigits[byte >> 4U], kDigits[byte & 0xFU]};
  }
  return result;
}

}  // namespace hub
