#pragma once

#include <cstdint>

#include <vit/kernels/run_count.h>

namespace test {

/// Counts how often fused blocks have run since it was made: what tells that a test did not compare
/// the separate operators with themselves.
class FusedRuns {
 public:
  FusedRuns() : before_(vit::kernels::fused_runs()) {}
  int64_t count() const { return vit::kernels::fused_runs() - before_; }

 private:
  int64_t before_;
};

/// Whether fused blocks run here: they are built in, the CPU has the instructions, and
/// VITOME_KERNELS does not ask for something else.
bool has_fused_blocks();

}  // namespace test
