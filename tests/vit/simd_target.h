#pragma once

#include <cstdint>
#include <vector>

// Highway counts the instruction sets from what stands before it.
// clang-format off
#include <vit/kernels/simd_targets.h>
#include <hwy/targets.h>
// clang-format on

namespace test {

/// Has the vector kernels run for one of Highway's instruction sets, whatever else the CPU knows.
class SimdTarget {
 public:
  explicit SimdTarget(int64_t target) { choose(target); }
  ~SimdTarget() { choose(0); }
  SimdTarget(const SimdTarget&) = delete;
  SimdTarget& operator=(const SimdTarget&) = delete;

  /// Those that the kernels are compiled for and this CPU knows. Without vectors there is no
  /// matrix product that they would stand beside, so plain code counts only where all is plain.
  static std::vector<int64_t> all() {
    auto targets = hwy::SupportedAndGeneratedTargets();
    if (targets.size() > 1)
      std::erase_if(targets, [](int64_t target) { return target & (HWY_SCALAR | HWY_EMU128); });
    return targets;
  }

 private:
  static void choose(int64_t target) {
    hwy::SetSupportedTargetsForTest(target);  // 0: all that there are
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }
};

}  // namespace test
