#pragma once

#include <cstdlib>
#include <initializer_list>
#include <string>
#include <utility>

namespace test {

/// The environment of this process with just these of torchrun's variables, while it lives.
class Variables {
 public:
  Variables(std::initializer_list<std::pair<const char*, const char*>> values) {
    clear();
    for (const auto& [name, value] : values) setenv(name, value, 1);
  }
  ~Variables() { clear(); }
  Variables(const Variables&) = delete;
  Variables& operator=(const Variables&) = delete;

 private:
  static void clear() {
    for (const char* name : {"RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT",
                             "TORCHELASTIC_USE_AGENT_STORE", "TORCHELASTIC_RESTART_COUNT"})
      unsetenv(name);
  }
};

}  // namespace test
