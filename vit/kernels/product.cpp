#include <algorithm>
#include <cstring>
#include <vector>

#include <ATen/native/CPUBlas.h>
#include <c10/util/BFloat16.h>
#include <c10/util/Exception.h>

#include <vit/kernels/cpu_features.h>
#include <vit/kernels/product.h>
#include <vit/kernels/simd.h>

// Older releases of LibTorch lack the kernels; the plain operators do the work there.
#if defined(CPUBLAS_BRGEMM_BF16BF16F32) && defined(CPUBLAS_BRGEMM_F32F32F32) && \
    defined(CPUBLAS_BRGEMM_U8I8I32)
#define VITOME_HAVE_BRGEMM 1
#else
#define VITOME_HAVE_BRGEMM 0
#endif

namespace vit::kernels {
namespace {

/// Whether a product comes out right. LibTorch's kernels refuse where oneDNN is switched off or
/// held back (ONEDNN_MAX_CPU_ISA), whatever the CPU could do.
bool works(Math math) {
  constexpr int64_t kSize = 16;
  // All ones in each type, so that every sum is kSize.
  const std::vector<float> floats(kSize * kSize, 1.0f);
  const std::vector<at::BFloat16> halves(kSize * kSize, 1.0f);
  const std::vector<uint8_t> bytes(kSize * kSize, 1);
  const void* ones = math == Math::fp32   ? static_cast<const void*>(floats.data())
                     : math == Math::bf16 ? static_cast<const void*>(halves.data())
                                          : static_cast<const void*>(bytes.data());
  std::vector<float> sums(kSize * kSize);
  try {
    multiply(math, kSize, kSize, kSize, ones, kSize, ones, sums.data(), kSize);
  } catch (const c10::Error&) {
    return false;
  }
  end_of_products();
  int32_t bits = 0;
  std::memcpy(&bits, sums.data(), sizeof(bits));
  return math == Math::int8 ? bits == kSize : sums[0] == static_cast<float>(kSize);
}

bool detect(Math math) {
  if (!VITOME_HAVE_BRGEMM) return false;
  const CpuFeatures& cpu = cpu_features();
  const bool has = math == Math::fp32   ? cpu.avx2
                   : math == Math::bf16 ? cpu.fast_bf16
                                        : cpu.fast_int8;
  return has && works(math);
}

}  // namespace

bool is_native(Math math) {
  static const bool native[] = {detect(Math::fp32), detect(Math::bf16), detect(Math::int8)};
  return native[static_cast<int>(math)];
}

Math attention_math(Math math) {
  if (math != Math::int8) return math;
  return is_native(Math::bf16) ? Math::bf16 : Math::fp32;
}

#if VITOME_HAVE_BRGEMM

namespace {

/// Blocking over K: how much of `inner` is multiplied at once, so that what `rows` rows of the
/// left-hand side and `columns` columns of the right-hand one hold of it stays in the second-level
/// cache. The kernels read all of the right-hand side for every few rows.
int64_t inner_together(Math math, int64_t rows, int64_t columns, int64_t inner) {
  constexpr int64_t kAtLeast = 256, kMultiple = 64;
  const int64_t fit = second_level_cache() * 3 / 4 / ((rows + columns) * element_size(math)) /
                      kMultiple * kMultiple;
  const int64_t parts = (inner - 1) / std::max(fit, kAtLeast) + 1;
  return parts == 1 ? inner : simd::round_up((inner - 1) / parts + 1, kMultiple);
}

void multiply_together(Math math, int64_t m, int64_t n, int64_t k, const void* a, int64_t lda,
                       const void* b, void* c, int64_t ldc, bool add) {
  namespace blas = at::native::cpublas;
  switch (math) {
    case Math::fp32:
      return blas::brgemm(m, n, k, lda, n, ldc, add, static_cast<const float*>(a),
                          static_cast<const float*>(b), static_cast<float*>(c));
    case Math::bf16:
      return blas::brgemm(m, n, k, lda, n, ldc, add, static_cast<const at::BFloat16*>(a),
                          static_cast<const at::BFloat16*>(b), static_cast<float*>(c));
    case Math::int8:
      return blas::brgemm(m, n, k, lda, n, ldc, add, static_cast<const unsigned char*>(a),
                          static_cast<const signed char*>(b), static_cast<int32_t*>(c));
  }
}

}  // namespace

void multiply(Math math, int64_t m, int64_t n, int64_t k, const void* a, int64_t lda, const void* b,
              void* c, int64_t ldc, bool add) {
  const int64_t step = inner_together(math, m, n, k), bytes = element_size(math);
  for (int64_t first = 0; first < k; first += step)
    multiply_together(math, m, n, std::min(step, k - first),
                      static_cast<const char*>(a) + first * bytes, lda,
                      static_cast<const char*>(b) + first * n * bytes, c, ldc, add || first > 0);
}

void end_of_products() { at::native::cpublas::brgemm_release(); }

#else

void multiply(Math, int64_t, int64_t, int64_t, const void*, int64_t, const void*, void*, int64_t,
              bool) {
  TORCH_CHECK(false, "multiply: this LibTorch has no block matrix kernels");
}

void end_of_products() {}

#endif

}  // namespace vit::kernels
