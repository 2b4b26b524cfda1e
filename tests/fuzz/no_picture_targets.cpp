#include "tests/fuzz/targets.h"

namespace fuzz {

std::vector<Target> picture_targets() { return {}; }

}  // namespace fuzz
