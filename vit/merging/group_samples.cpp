#include <algorithm>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <vit/error.h>
#include <vit/merging/check_groups.h>
#include <vit/token_reducer.h>

namespace vit {
namespace {

/// In the memory of the CPU, float32, without gradient; undefined stays undefined.
at::Tensor on_cpu(const at::Tensor& x) {
  return x.defined() ? x.detach().to(at::kCPU, at::kFloat).contiguous() : x;
}

const float* sample_of(const at::Tensor& x, int64_t sample) {
  return x.defined() ? x.const_data_ptr<float>() + sample * x.stride(0) : nullptr;
}

FloatRows rows_of(const at::Tensor& x, int64_t sample) {
  if (!x.defined()) return {};
  return {sample_of(x, sample), x.size(2), x.size(2)};
}

/// The answers of all samples, each in memory for N tokens.
struct Answers {
  Answers(int64_t batch, int64_t tokens)
      : keep(at::empty({batch, tokens}, at::kLong)),
        removed(at::empty({batch, tokens}, at::kLong)),
        into(at::empty({batch, tokens}, at::kLong)),
        weights(at::zeros({batch, tokens}, at::kFloat)),
        sizes(at::zeros({batch, tokens}, at::kFloat)) {
    for (int64_t i = 0; i < batch; ++i)
      groups.push_back({.keep = keep.mutable_data_ptr<int64_t>() + i * tokens,
                        .removed = removed.mutable_data_ptr<int64_t>() + i * tokens,
                        .into = into.mutable_data_ptr<int64_t>() + i * tokens,
                        .weights = weights.mutable_data_ptr<float>() + i * tokens,
                        .sizes = sizes.mutable_data_ptr<float>() + i * tokens});
  }

  BatchGroups batch(c10::Device device) {
    BatchGroups result;
    int64_t rows = 0, count = 0;
    for (const Groups& sample : groups) {
      if (sample.row_rule != groups.front().row_rule ||
          sample.size_rule != groups.front().size_rule)
        fail("token reducer: the samples of a batch have different rules for their rows or sizes");
      result.counts.push_back(sample.rows);
      rows = std::max(rows, sample.rows);
      count = std::max(count, sample.count);
    }
    for (const Groups& sample : groups) {  // nothing is said of what is left
      std::fill(sample.keep + sample.rows, sample.keep + rows, -1);
      std::fill(sample.removed + sample.count, sample.removed + count, -1);
      std::fill(sample.into + sample.count, sample.into + count, -1);
      std::fill(sample.sizes + sample.rows, sample.sizes + rows, 0.0f);
    }
    result.keep = keep.slice(1, 0, rows).to(device);
    result.removed = removed.slice(1, 0, count).to(device);
    result.into = into.slice(1, 0, count).to(device);
    if (std::all_of(groups.begin(), groups.end(),
                    [&](const Groups& sample) { return sample.rows == rows; }))
      result.counts.clear();
    result.row_rule = groups.front().row_rule;
    result.size_rule = groups.front().size_rule;
    if (result.row_rule == RowRule::weighted_sum) result.weights = weights.to(device);
    if (result.size_rule == SizeRule::given) result.sizes = sizes.slice(1, 0, rows).to(device);
    return result;
  }

  at::Tensor keep, removed, into, weights, sizes;
  std::vector<Groups> groups;
};

/// A batch without samples says nothing of how many rows they would have.
BatchGroups no_samples(const TokenReducer& reducer, const BatchRequest& request) {
  const int64_t rows = reducer.tokens_after(request.at).value_or(request.at.tokens);
  const auto options = at::TensorOptions(request.device).dtype(at::kLong);
  BatchGroups result;
  result.keep = at::empty({0, rows}, options);
  result.removed = at::empty({0, request.at.tokens - rows}, options);
  result.into = result.removed;
  return result;
}

}  // namespace

BatchGroups TokenReducer::group_batch(const BatchRequest& request) const {
  const int64_t batch = request.batch, tokens = request.at.tokens;
  if (batch == 0) return no_samples(*this, request);
  const auto metric = on_cpu(request.metric), x = on_cpu(request.tokens),
             class_attention = on_cpu(request.class_attention);
  const auto sizes = request.sizes.defined()
                         ? on_cpu(request.sizes)
                         : at::ones({1, tokens}, at::kFloat).expand({batch, -1});
  Answers answers(batch, tokens);
  at::parallel_for(0, batch, 1, [&](int64_t begin, int64_t end) {
    std::vector<int64_t> row_of(tokens);
    for (int64_t i = begin; i < end; ++i) {
      GroupRequest sample;
      sample.at = request.at;
      sample.sample = i;
      if (!request.counts.empty()) sample.at.tokens = request.counts[i];
      sample.metric = rows_of(metric, i);
      sample.class_attention = sample_of(class_attention, i);
      sample.tokens = rows_of(x, i);
      sample.sizes = sample_of(sizes, i);
      group(sample, answers.groups[i]);
      merging::check_groups(*this, sample.at, answers.groups[i], row_of.data());
    }
  });
  return answers.batch(request.device);
}

}  // namespace vit
