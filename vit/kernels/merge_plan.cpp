#include <algorithm>
#include <cmath>
#include <utility>

#include <ATen/ATen.h>

#include <vit/kernels/merge_plan.h>
#include <vit/kernels/simd.h>

namespace vit::kernels {

MergePlan::MergePlan(Arena& arena, int64_t samples, int64_t tokens, bool track_source)
    : samples_(samples), tokens_(tokens), stride_(simd::round_up(tokens + 1)) {
  const int64_t all = samples * stride_;
  sizes_ = arena.take<float>(all);
  next_sizes_ = arena.take<float>(all);
  log_sizes_ = arena.take<float>(all);
  next_log_sizes_ = arena.take<float>(all);
  begins_ = arena.take<int64_t>(all);
  positions_ = arena.take<int64_t>(all);
  weights_ = arena.take<float>(all);
  keep_ = arena.take<int64_t>(all);
  removed_ = arena.take<int64_t>(all);
  into_ = arena.take<int64_t>(all);
  next_ = arena.take<int64_t>(all);
  std::fill_n(sizes_, all, 1.0f);
  std::fill_n(log_sizes_, all, 0.0f);
  std::fill_n(next_log_sizes_, all, 0.0f);
  if (!track_source) return;
  source_ = arena.take<float>(all * tokens);
  next_source_ = arena.take<float>(all * tokens);
  std::fill_n(source_, all * tokens, 0.0f);
  for (int64_t sample = 0; sample < samples; ++sample)
    for (int64_t token = 0; token < tokens; ++token)
      source_[(sample * stride_ + token) * tokens + token] = 1.0f;
}

void MergePlan::match(const TokenReducer& reducer, const GroupRequest& request, int64_t sample,
                      int64_t rows) {
  const int64_t at = sample * stride_, removed = request.tokens - rows;
  reducer.group(request, {keep_ + at, removed_ + at, into_ + at});

  int64_t *begins = begins_ + at, *next = next_ + at;
  std::fill_n(begins, rows + 1, 0);
  for (int64_t row = 0; row < rows; ++row) begins[row + 1] = 1;
  for (int64_t i = 0; i < removed; ++i) ++begins[into_[at + i] + 1];
  for (int64_t row = 0; row < rows; ++row) begins[row + 1] += begins[row];
  const auto place = [&](int64_t row, int64_t position) {
    positions_[at + next[row]] = position;
    weights_[at + next[row]++] = sizes_[at + position];
  };
  std::copy_n(begins, rows, next);
  for (int64_t row = 0; row < rows; ++row) place(row, keep_[at + row]);
  for (int64_t i = 0; i < removed; ++i) place(into_[at + i], removed_[at + i]);

  for (int64_t row = 0; row < rows; ++row) {
    float total = 0;
    for (int64_t i = begins[row]; i < begins[row + 1]; ++i) total += weights_[at + i];
    for (int64_t i = begins[row]; i < begins[row + 1]; ++i) weights_[at + i] /= total;
    next_sizes_[at + row] = total;
    next_log_sizes_[at + row] = std::log2(total);
  }
  if (source_) merge_source(sample, rows);
}

void MergePlan::merge_source(int64_t sample, int64_t rows) {
  const int64_t at = sample * stride_;
  for (int64_t row = 0; row < rows; ++row) {
    float* to = next_source_ + (at + row) * tokens_;
    std::fill_n(to, tokens_, 0.0f);
    for (int64_t i = begins_[at + row]; i < begins_[at + row + 1]; ++i) {
      const float* from = source_ + (at + positions_[at + i]) * tokens_;
      for (int64_t j = 0; j < tokens_; ++j) to[j] = std::max(to[j], from[j]);
    }
  }
}

void MergePlan::merge_row(int64_t sample, int64_t row, const float* x, int64_t columns,
                          float* out) const {
  const int64_t at = sample * stride_, begin = begins_[at + row];
  const int64_t count = begins_[at + row + 1] - begin;
  if (count == 1)
    std::copy_n(x + positions_[at + begin] * columns, columns, out);
  else
    simd::weighted_rows(x, columns, positions_ + at + begin, weights_ + at + begin, count, out);
}

void MergePlan::advance() {
  std::swap(sizes_, next_sizes_);
  std::swap(log_sizes_, next_log_sizes_);
  std::swap(source_, next_source_);
  merged_ = true;
}

void MergePlan::write(const at::Tensor& size, const at::Tensor& source, int64_t first) const {
  const int64_t rows = size.size(1);
  for (int64_t sample = 0; sample < samples_; ++sample) {
    std::copy_n(sizes_ + sample * stride_, rows,
                size.mutable_data_ptr<float>() + (first + sample) * rows);
    if (source_)
      std::copy_n(source_ + sample * stride_ * tokens_, rows * tokens_,
                  source.mutable_data_ptr<float>() + (first + sample) * rows * tokens_);
  }
}

}  // namespace vit::kernels
