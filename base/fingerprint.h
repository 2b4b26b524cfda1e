#pragma once

#include <cstdint>
#include <string>

namespace base {

/// A number that almost certainly differs where texts do (64-bit FNV-1a).
class Fingerprint {
 public:
  void add(const std::string& text);
  std::string text() const;

 private:
  uint64_t value_ = 0xCBF29CE484222325;
};

}  // namespace base
