#include <algorithm>
#include <map>
#include <utility>

#include <ATen/ATen.h>

#include <vit/error.h>
#include <vit/forward.h>
#include <vit/merging/reduce.h>
#include <vit/rotary.h>

namespace vit {
namespace {

/// Whether the blocks must know which patches each token stands for.
bool needs_source(const VitConfig& config, const TokenReducer* reducer) {
  if (!reducer) return false;
  const AttentionConfig& attention = config.block.attention;
  return attention.relative_bias ||
         (attention.rotary && reducer->position_rule() == PositionRule::mean_of_angles);
}

at::Tensor eye(int64_t batch, int64_t tokens, const TokenState& state) {
  return at::eye(tokens, state.tokens.options().dtype(at::kFloat).requires_grad(false))
      .expand({batch, tokens, tokens});
}

/// Whether pictures of different grids may not go through the blocks together: positions are
/// relative to one grid there.
bool tells_grids_apart(const VitConfig& config) {
  return config.block.attention.rotary.has_value();
}

/// One tensor [1, ...] of the first `tokens` along dimension 1 of sample `i`; undefined stays so.
at::Tensor sample_of(const at::Tensor& x, int64_t i, int64_t tokens) {
  return x.defined() ? x.slice(0, i, i + 1).slice(1, 0, tokens) : x;
}

/// Without the padding of other samples. `grid`: its own.
ForwardResult sample_of(const VitConfig& config, const ForwardResult& all, int64_t i,
                        const Extent& grid) {
  const int64_t tokens = all.size[i].gt(0).sum().item<int64_t>(),
                prefix = config.num_prefix_tokens();
  ForwardResult one;
  one.features = sample_of(all.features, i, tokens);
  one.size = sample_of(all.size, i, tokens);
  one.source = sample_of(all.source, i, tokens);
  if (one.source.defined()) one.source = one.source.slice(2, 0, prefix + grid.count());
  one.positions = sample_of(all.positions, i, tokens);
  one.coords = sample_of(all.coords, i, tokens - prefix);
  const bool pooled = config.head.pooling != Pooling::none;
  one.pooled = pooled ? all.pooled.slice(0, i, i + 1) : sample_of(all.pooled, i, tokens);
  one.logits = pooled ? all.logits.slice(0, i, i + 1) : sample_of(all.logits, i, tokens);
  return one;
}

/// Samples of a batch again, the shorter ones padded with zeros.
ForwardResult joined(const std::vector<ForwardResult>& samples) {
  const auto join = [&](at::Tensor ForwardResult::*part) {
    std::vector<int64_t> shape;
    for (const auto& sample : samples) {
      if (!(sample.*part).defined()) return at::Tensor();
      shape.resize(static_cast<size_t>((sample.*part).dim()), 0);
      for (size_t d = 0; d < shape.size(); ++d)
        shape[d] = std::max(shape[d], (sample.*part).size(static_cast<int64_t>(d)));
    }
    std::vector<at::Tensor> padded;
    for (const auto& sample : samples) {
      const at::Tensor& x = sample.*part;
      std::vector<int64_t> room;  // before and behind, from the last dimension on
      for (int64_t d = x.dim() - 1; d > 0; --d)
        room.insert(room.end(), {0, shape[static_cast<size_t>(d)] - x.size(d)});
      padded.push_back(at::constant_pad_nd(x, room));
    }
    return at::cat(padded, 0);
  };
  ForwardResult all;
  for (const auto part : {&ForwardResult::logits, &ForwardResult::features, &ForwardResult::pooled,
                          &ForwardResult::size, &ForwardResult::source, &ForwardResult::positions,
                          &ForwardResult::coords})
    all.*part = join(part);
  return all;
}

CutPictures cut(const VitConfig& config, const Embedding& embedding,
                const std::vector<at::Tensor>& pictures) {
  CutPictures result;
  std::vector<at::Tensor> patches;
  for (const auto& picture : pictures) {
    const auto batch = picture.unsqueeze(0);
    result.grids.push_back(grid_of(config, batch));
    patches.push_back(embedding.patch_embed->cut(batch).squeeze(0));
  }
  result.patches = at::cat(patches, 0);
  return result;
}

/// Those pictures that have one grid, for each grid.
std::vector<std::vector<int64_t>> by_grid(const std::vector<Extent>& grids) {
  std::map<std::pair<int64_t, int64_t>, std::vector<int64_t>> groups;
  for (size_t i = 0; i < grids.size(); ++i)
    groups[{grids[i].rows, grids[i].cols}].push_back(static_cast<int64_t>(i));
  std::vector<std::vector<int64_t>> result;
  for (auto& [grid, indices] : groups) result.push_back(std::move(indices));
  return result;
}

}  // namespace

ForwardResult ForwardPass::finish(TokenState& state, ForwardOptions options) const {
  run_blocks(state);
  auto read = head.forward(config, state, reducer);
  ForwardResult result;
  result.features = std::move(read.features);
  result.pooled = std::move(read.pooled);
  result.logits = std::move(read.logits);
  result.size = state.size.defined()
                    ? state.size
                    : at::ones({state.tokens.size(0), state.tokens.size(1)},
                               state.tokens.options().dtype(at::kFloat).requires_grad(false));
  if (options.track_source) result.source = state.source;
  if (options.track_positions) result.positions = state.positions;
  const auto& rotary = config.block.attention.rotary;
  if (options.track_positions && rotary)
    result.coords =
        rotary_coordinates(*rotary, state.grid, state.positions.slice(1, state.prefix_tokens));
  return result;
}

ForwardResult ForwardPass::run(const at::Tensor& input, ForwardOptions options) const {
  TokenState state;
  state.grid = grid_of(config, input);
  state.tokens = embedding.forward(config, input);
  state.prefix_tokens = config.num_prefix_tokens();
  state.class_token = config.prefix.cls_tokens > 0;
  state.depth = config.depth;
  const int64_t batch = state.tokens.size(0);
  if (options.track_source || needs_source(config, reducer))
    state.source = eye(batch, state.tokens.size(1), state);
  const auto& rotary = config.block.attention.rotary;
  if (options.track_positions || rotary)
    state.positions = patch_positions(state.grid, state.prefix_tokens, rotary ? rotary->axes : 2)
                          .to(state.tokens.device())
                          .expand({batch, -1, -1});
  return finish(state, options);
}

ForwardResult ForwardPass::run_together(const CutPictures& pictures, ForwardOptions options) const {
  const auto& grids = pictures.grids;
  TokenState state;
  state.tokens = embedding.forward(config, pictures);
  state.prefix_tokens = config.num_prefix_tokens();
  state.class_token = config.prefix.cls_tokens > 0;
  state.depth = config.depth;
  if (std::all_of(grids.begin(), grids.end(), [&](const Extent& grid) { return grid == grids[0]; }))
    state.grid = grids.front();
  const int64_t batch = state.tokens.size(0), tokens = state.tokens.size(1);
  for (const Extent& grid : grids) state.counts.push_back(state.prefix_tokens + grid.count());
  const auto mask = merging::token_mask(state);
  if (std::all_of(state.counts.begin(), state.counts.end(),
                  [&](int64_t count) { return count == tokens; }))
    state.counts.clear();
  else
    state.size = mask;
  if (options.track_source || needs_source(config, reducer))
    state.source = eye(batch, tokens, state) * mask.unsqueeze(-1);
  const auto& rotary = config.block.attention.rotary;
  if (options.track_positions || rotary) {
    std::vector<at::Tensor> positions;
    for (const Extent& grid : grids)
      positions.push_back(
          patch_positions(grid, state.prefix_tokens, rotary ? rotary->axes : 2).squeeze(0));
    state.positions = at::pad_sequence(positions, /*batch_first=*/true).to(state.tokens.device());
  }
  return finish(state, options);
}

ForwardResult ForwardPass::run(const CutPictures& pictures, ForwardOptions options) const {
  const auto groups = by_grid(pictures.grids);
  if (groups.size() == 1 || !tells_grids_apart(config)) return run_together(pictures, options);
  std::vector<int64_t> counts;
  for (const Extent& grid : pictures.grids) counts.push_back(grid.count());
  const auto patches = pictures.patches.split_with_sizes(counts, 0);
  std::vector<ForwardResult> results(counts.size());
  for (const auto& group : groups) {
    CutPictures alike;
    std::vector<at::Tensor> parts;
    for (const int64_t i : group) {
      parts.push_back(patches[static_cast<size_t>(i)]);
      alike.grids.push_back(pictures.grids[static_cast<size_t>(i)]);
    }
    alike.patches = at::cat(parts, 0);
    const auto all = run_together(alike, options);
    for (size_t i = 0; i < group.size(); ++i)
      results[static_cast<size_t>(group[i])] =
          sample_of(config, all, static_cast<int64_t>(i), alike.grids[i]);
  }
  return joined(results);
}

std::pair<ForwardResult, std::vector<Extent>> ForwardPass::run_all(
    const std::vector<at::Tensor>& pictures, ForwardOptions options) const {
  for (const auto& picture : pictures)
    TORCH_CHECK(picture.defined() && picture.dim() == 3,
                "VisionTransformer: expected pictures of [C, H, W], got ",
                picture.defined() ? picture.sizes() : at::IntArrayRef());
  const bool alike = std::all_of(pictures.begin(), pictures.end(), [&](const at::Tensor& picture) {
    return picture.sizes() == pictures.front().sizes();
  });
  if (alike) {
    const auto batch = at::stack(pictures);
    auto result = run(batch, options);
    return {std::move(result), std::vector<Extent>(pictures.size(), grid_of(config, batch))};
  }
  const auto patches = cut(config, embedding, pictures);
  return {run(patches, options), patches.grids};
}

std::vector<ForwardResult> ForwardPass::run(const std::vector<at::Tensor>& pictures,
                                            ForwardOptions options) const {
  std::vector<ForwardResult> results;
  if (pictures.empty()) return results;
  const auto [all, grids] = run_all(pictures, options);
  for (size_t i = 0; i < grids.size(); ++i)
    results.push_back(sample_of(config, all, static_cast<int64_t>(i), grids[i]));
  return results;
}

at::Tensor ForwardPass::logits(const std::vector<at::Tensor>& pictures) const {
  if (pictures.empty()) fail("forward: no pictures");
  if (config.head.pooling == Pooling::none)
    fail(
        "forward: a model without pooling has logits for every token of a picture; forward_all() "
        "gives them");
  return run_all(pictures, {}).first.logits;
}

ForwardResult ForwardPass::run(const PaddedPictures& pictures, ForwardOptions options) const {
  return run(pictures.cut(config), options);
}

}  // namespace vit
