#pragma once

#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <base/export.h>

namespace base {

/// Something the user gave is wrong: a file, a config, an option. what() says what, where and what
/// to do about it. Violated shape or dtype contracts of the tensor API throw c10::Error instead.
class VITOME_API Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// An Error whose message names settings as their C++ fields ("Settings::batch"), so that a program
/// can add what its users know them as; see apps/cli/flags.h.
class VITOME_API SettingError : public Error {
 public:
  SettingError(const std::string& message, std::vector<std::string> settings)
      : Error(message), settings_(std::move(settings)) {}

  const std::vector<std::string>& settings() const { return settings_; }

 private:
  std::vector<std::string> settings_;
};

/// The name of a setting, for fail(): a field of a struct of options.
struct Setting {
  std::string_view name;
};

inline std::ostream& operator<<(std::ostream& stream, Setting setting) {
  return stream << setting.name;
}

/// Throws Error with the streamed parts as its message, SettingError if a Setting is among them.
template <typename... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  std::ostringstream message;
  (message << ... << parts);
  if constexpr ((std::is_same_v<Parts, Setting> || ...)) {
    std::vector<std::string> settings;
    const auto note = [&](const auto& part) {
      if constexpr (std::is_same_v<std::decay_t<decltype(part)>, Setting>)
        settings.emplace_back(part.name);
    };
    (note(parts), ...);
    throw SettingError(message.str(), std::move(settings));
  }
  throw Error(message.str());
}

}  // namespace base
