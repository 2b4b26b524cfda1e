#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_session.hpp>
#else
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#endif

#include "tests/support/skip.h"

int main(int argc, char** argv) {
  // Catch counts failures in the exit status, which must not come to what says "skipped".
  if (Catch::Session().run(argc, argv) != 0) return 1;
  return test::anything_skipped() ? test::kSkippedStatus : 0;
}
