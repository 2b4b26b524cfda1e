#pragma once

#include <cstdint>

#include <vit/kernels/workspace.h>

namespace vit::kernels {

/// The tokens of one sample as groups of those that entered the first layer: token i stands for
/// members[begins[i]] up to members[begins[i + 1]], each of which has the weight of one over their
/// number.
struct MemberLists {
  const int64_t* begins = nullptr;
  const int64_t* members = nullptr;
  const float* weights = nullptr;
  // The same for means over all groups: the first of each token's members and one over their
  // number, both padded with 0, and which tokens have more members than that.
  const int32_t* firsts = nullptr;
  const float* shares = nullptr;
  const int32_t* merged = nullptr;
  int64_t merged_count = 0;
};

/// Which of the first layer's tokens went into each token, for some samples. Those of different
/// samples may be merged at once.
class TokenMembers {
 public:
  /// `stride`: room for the tokens of a sample, and one more.
  TokenMembers(Workspace& workspace, int64_t samples, int64_t tokens, int64_t stride);

  MemberLists of(int64_t sample) const { return now_.of(sample, stride_); }
  /// After merge().
  MemberLists next(int64_t sample) const { return next_.of(sample, stride_); }

  /// Row i of a sample becomes the tokens positions[begins[i]] up to positions[begins[i + 1]].
  void merge(int64_t sample, int64_t rows, const int64_t* begins, const int64_t* positions);

  /// What merge() gave is what there is; every sample was merged.
  void advance();

 private:
  struct Lists {
    int64_t* begins;
    int64_t* members;
    float* weights;
    int32_t* firsts;
    float* shares;
    int32_t* merged;
    int64_t* merged_counts;  // [samples]
    MemberLists of(int64_t sample, int64_t stride) const;
  };

  int64_t stride_;
  Lists now_, next_;  // each [samples, stride] but for the counts
};

}  // namespace vit::kernels
