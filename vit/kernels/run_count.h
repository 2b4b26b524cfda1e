#pragma once

#include <cstdint>

namespace vit::kernels {

/// How many forward passes of this process went through fused blocks rather than separate
/// operators, which compute the same: tests tell them apart by it.
int64_t fused_runs();

/// To be called at the end of each.
void count_fused_run();

}  // namespace vit::kernels
