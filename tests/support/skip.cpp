#include "tests/support/skip.h"

#include <iostream>

namespace test {
namespace {

bool skipped = false;

}  // namespace

void note_skip(std::string_view reason) {
  skipped = true;
  std::cout << "skipped: " << reason << std::endl;
}

bool anything_skipped() { return skipped; }

}  // namespace test
