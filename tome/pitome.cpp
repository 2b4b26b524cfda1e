#include <algorithm>
#include <cmath>
#include <numeric>

#include <tome/kernels.h>
#include <tome/per_layer.h>
#include <tome/pitome.h>
#include <vit/error.h>

namespace tome {
namespace {

int64_t merged(const PitomeOptions& options, const vit::LayerTokens& at) {
  const auto patches = static_cast<double>(std::max<int64_t>(at.tokens - at.prefix_tokens, 0));
  const auto r =
      static_cast<int64_t>(std::floor(patches - patches * value_of(options.ratio, at.layer)));
  return std::clamp<int64_t>(r, 0, static_cast<int64_t>(patches) / 2);
}

double margin_of(const PitomeOptions& options, const vit::LayerTokens& at) {
  if (!options.margins.empty()) return value_of(options.margins, at.layer);
  return options.initial_margin *
         (1.0 - static_cast<double>(at.layer) / static_cast<double>(at.depth));
}

PitomeVariant variant_of(const PitomeOptions& options, const vit::LayerTokens& at) {
  if (!options.variants.empty()) return value_of(options.variants, at.layer);
  return at.layer < (at.depth + 1) / 2 ? PitomeVariant::bsm : PitomeVariant::ordered;
}

}  // namespace

PitomeReducer::PitomeReducer(PitomeOptions options) : options_(std::move(options)) {
  if (options_.ratio.empty()) vit::fail("pitome: ratio is an empty list, expected at least one");
  for (const double ratio : options_.ratio)
    if (!(ratio > 0.0 && ratio <= 1.0))
      vit::fail("pitome: ratio is ", ratio, ", expected above 0 and at most 1");
}

std::optional<vit::ReducerNeeds> PitomeReducer::needs(const vit::LayerTokens& at) const {
  if (merged(options_, at) == 0) return std::nullopt;
  return vit::ReducerNeeds{.key_metric = true};
}

std::optional<int64_t> PitomeReducer::tokens_after(const vit::LayerTokens& at) const {
  return at.tokens - merged(options_, at);
}

void PitomeReducer::group(const vit::GroupRequest& request, vit::Groups& groups) const {
  const vit::LayerTokens& at = request.at;
  const cpu::EnergyRule rule{.margin = margin_of(options_, at),
                             .alpha = options_.alpha,
                             .among_all = variant_of(options_, at) == PitomeVariant::bsm};
  groups.count = merged(options_, at);
  groups.rows = at.tokens - groups.count;
  if (groups.count == 0) {  // a smaller one among others: as alone, where nobody asks
    std::iota(groups.keep, groups.keep + groups.rows, 0);
    return;
  }
  cpu::match_by_energy(request.metric.data, at.tokens, request.metric.stride, groups.count,
                       at.prefix_tokens, rule, groups.keep, groups.removed, groups.into);
}

}  // namespace tome
