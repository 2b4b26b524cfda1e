#include <tome/plan.h>
#include <tome/reducer.h>
#include <vit/flops.h>

namespace tome {

Merging plan(const vit::VitConfig& config, const Options& options) {
  Merging merging;
  merging.reducer = make_reducer(options);
  const auto all = static_cast<double>(config.num_tokens());
  merging.tokens = vit::tokens_per_layer(config, merging.reducer.get());
  merging.merge_ratio = (all - static_cast<double>(merging.tokens.back())) / all;
  merging.gflops = vit::gflops(config, merging.reducer.get());
  return merging;
}

}  // namespace tome
