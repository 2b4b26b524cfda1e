// What libFuzzer calls, and the replay program in its place.
#include "tests/fuzz/entry.h"

#include "tests/fuzz/targets.h"

#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string_view>

#include <ATen/Parallel.h>

#include <vit/error.h>

namespace {

fuzz::Read target = nullptr;

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  constexpr std::string_view kOption = "--target=";  // two dashes: libFuzzer leaves it alone
  at::set_num_threads(1);
  for (int i = 1; i < *argc; ++i)
    if (const std::string_view word = (*argv)[i]; word.starts_with(kOption)) try {
        target = fuzz::find_target(word.substr(kOption.size()));
      } catch (const std::invalid_argument& error) {
        std::fprintf(stderr, "%s\n", error.what());
        std::exit(2);
      }
  if (!target) {
    std::fprintf(stderr, "--target=NAME is missing\n");
    std::exit(2);
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    target({reinterpret_cast<const char*>(data), size});
  } catch (const vit::Error&) {  // anything else ends the program: a finding
  }
  return 0;
}
