#include <atomic>

#include <vit/kernels/run_count.h>

namespace vit::kernels {
namespace {

std::atomic<int64_t> runs{0};

}  // namespace

int64_t fused_runs() { return runs.load(std::memory_order_relaxed); }

void count_fused_run() { runs.fetch_add(1, std::memory_order_relaxed); }

}  // namespace vit::kernels
