#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <initializer_list>
#include <pwd.h>
#include <unistd.h>

#include <base/error.h>
#include <base/text.h>
#include <hub/settings.h>

namespace hub {
namespace fs = std::filesystem;
namespace {

// The first of the variables that is set and not empty.
std::string variable(std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (const char* value = std::getenv(name); value && *value) return value;
  return "";
}

bool is_true(const std::string& value) {
  std::string upper = value;
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  return upper == "1" || upper == "ON" || upper == "YES" || upper == "TRUE";
}

std::string home() {
  std::string folder = variable({"HOME"});
  if (const passwd* user = folder.empty() ? getpwuid(getuid()) : nullptr) folder = user->pw_dir;
  return folder;
}

// "~" at the start and $NAME or ${NAME} anywhere, as Python expands them.
fs::path expanded(const std::string& text) {
  std::string path = text;
  if (path == "~" || path.starts_with("~/")) path.replace(0, 1, home());
  for (std::size_t start = 0; (start = path.find('$', start)) != std::string::npos;) {
    const bool braces = path.compare(start, 2, "${") == 0;
    const std::size_t name = start + (braces ? 2 : 1);
    const std::size_t end = std::min(
        path.size(), path.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                            "0123456789_",
                                            name));
    const std::size_t next = end + (braces ? 1 : 0);
    const char* value = std::getenv(path.substr(name, end - name).c_str());
    if (!value || (braces && (end == path.size() || path[end] != '}'))) {
      start = name;
      continue;
    }
    const std::string replacement = value;
    path.replace(start, next - start, replacement);
    start += replacement.size();
  }
  return path;
}

std::string without_spaces(const std::string& text) {
  constexpr const char* kSpaces = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kSpaces);
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(kSpaces) - first + 1);
}

// A line break in a token would let it add headers of its own to requests.
std::string checked_token(const std::string& text, const std::string& source) {
  const std::string token = without_spaces(text);
  if (std::any_of(token.begin(), token.end(), [](char c) { return c <= 0x20 || c >= 0x7F; }))
    base::fail(source, " holds characters that no access token has");
  return token;
}

std::string find_token(const fs::path& hf_home) {
  if (is_true(variable({"HF_HUB_DISABLE_IMPLICIT_TOKEN"}))) return "";
  if (const std::string token = variable({"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}); !token.empty())
    return checked_token(token, "HF_TOKEN");
  const std::string named = variable({"HF_TOKEN_PATH"});
  const fs::path path = named.empty() ? hf_home / "token" : expanded(named);
  std::error_code fault;
  if (!fs::is_regular_file(path, fault)) return "";
  constexpr std::streamsize kMaxToken = 4096;
  std::string text(kMaxToken, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(text.data(), kMaxToken);
  text.resize(static_cast<std::size_t>(file.gcount()));
  return checked_token(text, "the token file " + path.string());
}

std::string checked_endpoint(std::string endpoint) {
  while (endpoint.ends_with('/')) endpoint.pop_back();
  const bool has_scheme = endpoint.starts_with("https://") || endpoint.starts_with("http://");
  if (!has_scheme || base::printable(endpoint) != endpoint ||
      endpoint.find_first_of(" ?#") != std::string::npos)
    base::fail("HF_ENDPOINT is '", base::printable(endpoint),
               "', expected an address such as https://huggingface.co");
  return endpoint;
}

}  // namespace

Settings Settings::from_environment() {
  Settings settings;
  if (const std::string endpoint = variable({"HF_ENDPOINT"}); !endpoint.empty())
    settings.endpoint = checked_endpoint(endpoint);

  const std::string hf_home = variable({"HF_HOME"});
  const std::string xdg_cache = variable({"XDG_CACHE_HOME"});
  const fs::path base = !hf_home.empty()     ? expanded(hf_home)
                        : !xdg_cache.empty() ? expanded(xdg_cache) / "huggingface"
                                             : fs::path(home()) / ".cache" / "huggingface";
  const std::string cache = variable({"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"});
  settings.cache = fs::absolute(cache.empty() ? base / "hub" : expanded(cache)).lexically_normal();

  settings.token = find_token(base);
  settings.offline = is_true(variable({"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"}));
  settings.symlinks = !is_true(variable({"HF_HUB_DISABLE_SYMLINKS"}));
  settings.certificates = variable({"SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"});
  if (const std::string seconds = variable({"HF_HUB_DOWNLOAD_TIMEOUT"}); !seconds.empty()) {
    constexpr int64_t kLongest = 3600;
    const auto value = base::parse_integer(seconds);
    if (!value || *value < 1 || *value > kLongest)
      base::fail("HF_HUB_DOWNLOAD_TIMEOUT is '", base::printable(seconds),
                 "', expected whole seconds from 1 to ", kLongest);
    settings.stall_timeout = std::chrono::seconds(*value);
  }
  return settings;
}

}  // namespace hub
