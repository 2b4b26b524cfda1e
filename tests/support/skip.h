#pragma once

#include <string_view>

namespace test {

/// Exit status of a test program when nothing failed but something was skipped: what ctest lists
/// as Skipped.
constexpr int kSkippedStatus = 77;

/// Says so on standard output, where scripts/test finds the reason.
void note_skip(std::string_view reason);

/// Whether note_skip() was called.
bool anything_skipped();

}  // namespace test

/// Leaves a test case, or what is left of it, that cannot run here. scripts/test accepts reasons
/// that begin with "this CPU".
#define SKIP_TEST(reason)    \
  do {                       \
    test::note_skip(reason); \
    return;                  \
  } while (false)
