#include <algorithm>
#include <numeric>
#include <utility>

#include <vit/kernels/token_members.h>

namespace vit::kernels {

TokenMembers::TokenMembers(Workspace& workspace, int64_t samples, int64_t tokens, int64_t stride)
    : stride_(stride) {
  const int64_t all = samples * stride;
  for (auto* lists : {&now_, &next_}) {
    lists->begins = workspace.take<int64_t>(all);
    lists->members = workspace.take<int64_t>(all);
    lists->weights = workspace.take<float>(all);
    lists->firsts = workspace.take<int32_t>(all);
    lists->shares = workspace.take<float>(all);
    lists->merged = workspace.take<int32_t>(all);
    lists->merged_counts = workspace.take<int64_t>(samples);
  }
  for (int64_t sample = 0; sample < samples; ++sample) {
    const int64_t at = sample * stride;
    std::iota(now_.begins + at, now_.begins + at + tokens + 1, 0);
    std::iota(now_.members + at, now_.members + at + tokens, 0);
    std::fill_n(now_.weights + at, tokens, 1.0f);
    std::fill_n(now_.firsts + at, stride, 0);
    std::iota(now_.firsts + at, now_.firsts + at + tokens, 0);
    std::fill_n(now_.shares + at, stride, 1.0f);
    now_.merged_counts[sample] = 0;
  }
}

MemberLists TokenMembers::Lists::of(int64_t sample, int64_t stride) const {
  const int64_t at = sample * stride;
  return {begins + at, members + at, weights + at,         firsts + at,
          shares + at, merged + at,  merged_counts[sample]};
}

void TokenMembers::merge(int64_t sample, int64_t rows, const int64_t* begins,
                         const int64_t* positions) {
  const int64_t at = sample * stride_;
  const MemberLists from = of(sample);
  int64_t *to_begins = next_.begins + at, *to = next_.members + at;
  float* weights = next_.weights + at;
  int32_t* merged = next_.merged + at;
  int64_t count = 0;
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t first = count;
    to_begins[row] = first;
    for (int64_t i = begins[row]; i < begins[row + 1]; ++i) {
      const int64_t token = positions[i];
      for (int64_t j = from.begins[token]; j < from.begins[token + 1]; ++j)
        to[count++] = from.members[j];
    }
    const float share = 1.0f / static_cast<float>(count - first);
    std::fill(weights + first, weights + count, share);
    next_.shares[at + row] = share;
    next_.firsts[at + row] = static_cast<int32_t>(to[first]);
    if (count - first > 1) *merged++ = static_cast<int32_t>(row);
  }
  to_begins[rows] = count;
  std::fill_n(next_.firsts + at + rows, stride_ - rows, 0);
  std::fill_n(next_.shares + at + rows, stride_ - rows, 0.0f);
  next_.merged_counts[sample] = merged - (next_.merged + at);
}

void TokenMembers::advance() { std::swap(now_, next_); }

}  // namespace vit::kernels
