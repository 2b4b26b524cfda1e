#include <cstring>
#include <vector>

#include <c10/util/BFloat16.h>

#include <vit/merging/merge_kernel.h>

namespace vit::merging {

template <typename T>
void merge_weighted(const T* x, const float* size, int64_t channels, const int64_t* keep,
                    int64_t rows, const int64_t* removed, const int64_t* into, int64_t count,
                    T* out, float* out_size) {
  // Removed tokens of each row as linked lists, so that every output row is written once.
  std::vector<int64_t> first(rows, -1), next(count);
  for (int64_t i = count - 1; i >= 0; --i) {
    next[i] = first[into[i]];
    first[into[i]] = i;
  }
  std::vector<float> sum(channels);
  for (int64_t row = 0; row < rows; ++row) {
    const T* kept = x + keep[row] * channels;
    T* target = out + row * channels;
    float total = size ? size[keep[row]] : 1.0f;
    if (first[row] < 0) {
      std::memcpy(target, kept, channels * sizeof(T));
      out_size[row] = total;
      continue;
    }
    for (int64_t c = 0; c < channels; ++c) sum[c] = static_cast<float>(kept[c]) * total;
    for (int64_t i = first[row]; i >= 0; i = next[i]) {
      const T* token = x + removed[i] * channels;
      const float weight = size ? size[removed[i]] : 1.0f;
      for (int64_t c = 0; c < channels; ++c) sum[c] += static_cast<float>(token[c]) * weight;
      total += weight;
    }
    const float scale = 1.0f / total;
    for (int64_t c = 0; c < channels; ++c) target[c] = static_cast<T>(sum[c] * scale);
    out_size[row] = total;
  }
}

template <typename T>
void scatter_rows(const T* from, const float* weight, int64_t channels, const int64_t* keep,
                  int64_t rows, const int64_t* removed, const int64_t* into, int64_t count,
                  T* out) {
  const auto fill = [&](int64_t token, int64_t row) {
    const T* source = from + row * channels;
    T* target = out + token * channels;
    const float factor = weight[token];
    if (factor == 1.0f) {  // most tokens are alone
      std::memcpy(target, source, channels * sizeof(T));
      return;
    }
    for (int64_t c = 0; c < channels; ++c)
      target[c] = static_cast<T>(static_cast<float>(source[c]) * factor);
  };
  for (int64_t row = 0; row < rows; ++row) fill(keep[row], row);
  for (int64_t i = 0; i < count; ++i) fill(removed[i], into[i]);
}

template void scatter_rows<float>(const float*, const float*, int64_t, const int64_t*, int64_t,
                                  const int64_t*, const int64_t*, int64_t, float*);
template void scatter_rows<c10::BFloat16>(const c10::BFloat16*, const float*, int64_t,
                                          const int64_t*, int64_t, const int64_t*, const int64_t*,
                                          int64_t, c10::BFloat16*);
template void merge_weighted<float>(const float*, const float*, int64_t, const int64_t*, int64_t,
                                    const int64_t*, const int64_t*, int64_t, float*, float*);
template void merge_weighted<c10::BFloat16>(const c10::BFloat16*, const float*, int64_t,
                                            const int64_t*, int64_t, const int64_t*, const int64_t*,
                                            int64_t, c10::BFloat16*, float*);

}  // namespace vit::merging
