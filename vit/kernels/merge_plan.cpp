#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <ATen/ATen.h>

#include <vit/kernels/merge_plan.h>
#include <vit/kernels/simd.h>
#include <vit/merging/check_groups.h>

namespace vit::kernels {
namespace {

double squares(const float* x, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += static_cast<double>(x[i]) * x[i];
  return sum;
}

/// Rows [rows, width] of a sample -> its place in `to` [N, width], zeros after them.
void write_rows(const float* from, int64_t rows, int64_t width, const at::Tensor& to,
                int64_t sample) {
  float* out = to.mutable_data_ptr<float>() + sample * to.size(1) * width;
  std::copy_n(from, rows * width, out);
  std::fill(out + rows * width, out + to.size(1) * width, 0.0f);
}

}  // namespace

MergePlan::MergePlan(Workspace& workspace, int64_t samples, int64_t tokens,
                     const MergeTensors& tensors, int64_t first, Tracking tracking)
    : tensors_(tensors),
      first_(first),
      samples_(samples),
      tokens_(tokens),
      stride_(simd::round_up(tokens + 1)),
      position_rule_(tracking.positions),
      rules_(samples, RowRule::size_weighted_mean) {
  for (int64_t sample = 0; sample < samples; ++sample)
    counts_.push_back(tensors.tokens_of(first + sample, tokens));
  next_counts_ = counts_;
  if (tracking.members) members_.emplace(workspace, samples, tokens, stride_);
  const int64_t all = samples * stride_;
  sizes_ = workspace.take<float>(all);
  next_sizes_ = workspace.take<float>(all);
  log_sizes_ = workspace.take<float>(all);
  next_log_sizes_ = workspace.take<float>(all);
  class_attention_ = workspace.take<float>(all);
  begins_ = workspace.take<int64_t>(all);
  positions_ = workspace.take<int64_t>(all);
  weights_ = workspace.take<float>(all);
  keep_ = workspace.take<int64_t>(all);
  removed_ = workspace.take<int64_t>(all);
  into_ = workspace.take<int64_t>(all);
  given_weights_ = workspace.take<float>(all);
  next_ = workspace.take<int64_t>(all);
  std::fill_n(sizes_, all, 1.0f);
  std::fill_n(log_sizes_, all, 0.0f);
  std::fill_n(next_log_sizes_, all, 0.0f);
  if (tensors.positions.defined()) {
    axes_ = tensors.positions.size(2);
    coordinates_ = workspace.take<float>(all * axes_);
    next_coordinates_ = workspace.take<float>(all * axes_);
    for (int64_t sample = 0; sample < samples; ++sample)
      std::copy_n(
          tensors.input_positions.const_data_ptr<float>() + (first + sample) * tokens * axes_,
          tokens * axes_, coordinates_ + sample * stride_ * axes_);
  }
  if (!tensors.source.defined()) return;
  source_ = workspace.take<float>(all * tokens);
  next_source_ = workspace.take<float>(all * tokens);
  std::fill_n(source_, all * tokens, 0.0f);
  for (int64_t sample = 0; sample < samples; ++sample)
    for (int64_t token = 0; token < tokens; ++token)
      source_[(sample * stride_ + token) * tokens + token] = 1.0f;
}

void MergePlan::match(const TokenReducer& reducer, GroupRequest request, int64_t sample) {
  const int64_t at = sample * stride_;
  request.sizes = sizes_ + at;
  Groups groups{.keep = keep_ + at,
                .removed = removed_ + at,
                .into = into_ + at,
                .weights = given_weights_ + at,
                .sizes = next_sizes_ + at};
  reducer.group(request, groups);
  merging::check_groups(reducer, request.at, groups, next_ + at);
  next_counts_[sample] = groups.rows;
  rules_[sample] = groups.row_rule;
  list_members(groups, sample);
  weigh(groups, sample);
  if (source_) merge_source(sample, groups.rows);
  if (coordinates_) merge_coordinates(groups, sample);
  if (members_) members_->merge(sample, groups.rows, begins_ + at, positions_ + at);
}

void MergePlan::list_members(const Groups& groups, int64_t sample) {
  const int64_t at = sample * stride_, rows = groups.rows;
  int64_t *begins = begins_ + at, *next = next_ + at;
  begins[0] = 0;
  for (int64_t row = 0; row < rows; ++row) begins[row + 1] = groups.keep[row] >= 0 ? 1 : 0;
  for (int64_t i = 0; i < groups.count; ++i)
    if (groups.into[i] >= 0) ++begins[groups.into[i] + 1];
  for (int64_t row = 0; row < rows; ++row) begins[row + 1] += begins[row];
  std::copy_n(begins, rows, next);
  for (int64_t row = 0; row < rows; ++row)
    if (groups.keep[row] >= 0) positions_[at + next[row]++] = groups.keep[row];
  for (int64_t i = 0; i < groups.count; ++i)
    if (groups.into[i] >= 0) positions_[at + next[groups.into[i]]++] = groups.removed[i];
}

void MergePlan::weigh(const Groups& groups, int64_t sample) {
  const int64_t at = sample * stride_;
  const float* sizes = sizes_ + at;
  for (int64_t row = 0; row < groups.rows; ++row) {
    const int64_t begin = at + begins_[at + row], end = at + begins_[at + row + 1];
    float total = 0;
    for (int64_t i = begin; i < end; ++i) total += sizes[positions_[i]];
    for (int64_t i = begin; i < end; ++i) {
      if (groups.row_rule == RowRule::size_weighted_mean)
        weights_[i] = sizes[positions_[i]] / total;
      else if (groups.row_rule == RowRule::weighted_sum)
        weights_[i] = groups.weights[positions_[i]];
      else
        weights_[i] = 1.0f / static_cast<float>(end - begin);
    }
    if (groups.size_rule == SizeRule::sum) next_sizes_[at + row] = total;
    next_log_sizes_[at + row] = std::log2(next_sizes_[at + row]);
  }
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

void MergePlan::merge_coordinates(const Groups& groups, int64_t sample) {
  const int64_t at = sample * stride_;
  for (int64_t row = 0; row < groups.rows; ++row) {
    float* to = next_coordinates_ + (at + row) * axes_;
    const int64_t kept = groups.keep[row];
    const bool stays = begins_[at + row + 1] - begins_[at + row] == 1 ||
                       (position_rule_ == PositionRule::keep && kept >= 0);
    if (stays) {
      std::copy_n(coordinates_ + (at + positions_[at + begins_[at + row]]) * axes_, axes_, to);
      continue;
    }
    for (int64_t axis = 0; axis < axes_; ++axis) {
      float sum = 0, total = 0;
      for (int64_t i = begins_[at + row]; i < begins_[at + row + 1]; ++i) {
        const int64_t token = at + positions_[at + i];
        sum += sizes_[token] * coordinates_[token * axes_ + axis];
        total += sizes_[token];
      }
      to[axis] = sum / total;
    }
  }
}

void MergePlan::merge_row(int64_t sample, int64_t row, const float* x, int64_t columns,
                          float* out) const {
  const int64_t at = sample * stride_, begin = begins_[at + row];
  const int64_t count = begins_[at + row + 1] - begin;
  const int64_t* tokens = positions_ + at + begin;
  if (count == 1 && weights_[at + begin] == 1.0f) {
    std::copy_n(x + tokens[0] * columns, columns, out);
    return;
  }
  simd::weighted_rows(x, columns, tokens, weights_ + at + begin, count, out);
  if (rules_[sample] != RowRule::largest_norm) return;
  double largest = 0;
  for (int64_t i = 0; i < count; ++i)
    largest = std::max(largest, squares(x + tokens[i] * columns, columns));
  const double own = std::max(squares(out, columns), double{std::numeric_limits<float>::min()});
  const auto factor = static_cast<float>(std::sqrt(largest / own));
  for (int64_t i = 0; i < columns; ++i) out[i] *= factor;
}

void MergePlan::advance() {
  std::swap(sizes_, next_sizes_);
  std::swap(log_sizes_, next_log_sizes_);
  std::swap(source_, next_source_);
  std::swap(coordinates_, next_coordinates_);
  std::swap(counts_, next_counts_);
  if (members_) members_->advance();
  merged_ = true;
}

void MergePlan::write() const {
  for (int64_t sample = 0; sample < samples_; ++sample) {
    const int64_t at = sample * stride_, rows = counts_[sample], to = first_ + sample;
    write_rows(sizes_ + at, rows, 1, tensors_.size, to);
    if (source_) write_rows(source_ + at * tokens_, rows, tokens_, tensors_.source, to);
    if (coordinates_) write_rows(coordinates_ + at * axes_, rows, axes_, tensors_.positions, to);
    if (tensors_.counts) tensors_.counts[to] = rows;
  }
}

}  // namespace vit::kernels
