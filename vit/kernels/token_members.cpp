#include <algorithm>
#include <numeric>
#include <utility>

#include <vit/kernels/token_members.h>

namespace vit::kernels {

TokenMembers::TokenMembers(Workspace& workspace, int64_t samples, int64_t tokens, int64_t stride)
    : stride_(stride) {
  const int64_t all = samples * stride;
  for (auto* lists : {&now_, &next_})
    *lists = {workspace.take<int64_t>(all), workspace.take<int64_t>(all),
              workspace.take<float>(all)};
  for (int64_t sample = 0; sample < samples; ++sample) {
    const int64_t at = sample * stride;
    std::iota(now_.begins + at, now_.begins + at + tokens + 1, 0);
    std::iota(now_.members + at, now_.members + at + tokens, 0);
    std::fill_n(now_.weights + at, tokens, 1.0f);
  }
}

void TokenMembers::merge(int64_t sample, int64_t rows, const int64_t* begins,
                         const int64_t* positions) {
  const int64_t at = sample * stride_;
  const MemberLists from = now_.of(at);
  int64_t *to_begins = next_.begins + at, *to = next_.members + at;
  float* weights = next_.weights + at;
  int64_t count = 0;
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t first = count;
    to_begins[row] = first;
    for (int64_t i = begins[row]; i < begins[row + 1]; ++i) {
      const int64_t token = positions[i];
      for (int64_t j = from.begins[token]; j < from.begins[token + 1]; ++j)
        to[count++] = from.members[j];
    }
    std::fill(weights + first, weights + count, 1.0f / static_cast<float>(count - first));
  }
  to_begins[rows] = count;
}

void TokenMembers::advance() { std::swap(now_, next_); }

}  // namespace vit::kernels
