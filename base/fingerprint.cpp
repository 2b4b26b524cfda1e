#include <array>
#include <cstdio>

#include <base/fingerprint.h>

namespace base {

void Fingerprint::add(const std::string& text) {
  const auto mix = [&](unsigned char byte) { value_ = (value_ ^ byte) * 0x100000001B3; };
  for (char c : text) mix(static_cast<unsigned char>(c));
  mix(0);  // "ab", "c" is not "a", "bc"
}

std::string Fingerprint::text() const {
  std::array<char, 17> digits{};
  std::snprintf(digits.data(), digits.size(), "%016llx", static_cast<unsigned long long>(value_));
  return digits.data();
}

}  // namespace base
