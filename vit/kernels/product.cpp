#include <cpuid.h>

#include <ATen/native/CPUBlas.h>
#include <c10/util/BFloat16.h>
#include <c10/util/Exception.h>

#include <vit/kernels/product.h>

// Older releases of LibTorch lack the kernels; the plain operators do the work there.
#if defined(CPUBLAS_BRGEMM_BF16BF16F32) && defined(CPUBLAS_BRGEMM_F32F32F32) && \
    defined(CPUBLAS_BRGEMM_U8I8I32)
#define VITOME_HAVE_BRGEMM 1
#else
#define VITOME_HAVE_BRGEMM 0
#endif

namespace vit::kernels {
namespace {

struct CpuFeatures {
  bool avx2 = false;
  bool avx512 = false;
  bool avx512_bf16 = false;
  bool avx512_vnni = false;
  bool amx_bf16 = false;
  bool amx_int8 = false;
  bool amd = false;
};

CpuFeatures detect() {
  CpuFeatures features;
  unsigned a = 0, b = 0, c = 0, d = 0;
  __builtin_cpu_init();
  features.avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  features.avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  features.avx512_vnni = features.avx512 && __builtin_cpu_supports("avx512vnni");
  features.avx512_bf16 = features.avx512 && __builtin_cpu_supports("avx512bf16");
  features.amd = __builtin_cpu_is("amd");
  if (features.avx512 && __get_cpuid_count(7, 0, &a, &b, &c, &d)) {
    features.amx_bf16 = d & (1U << 22);
    features.amx_int8 = d & (1U << 25);
  }
  return features;
}

const CpuFeatures& cpu() {
  static const CpuFeatures features = detect();
  return features;
}

}  // namespace

bool is_native(Math math) {
  if (!VITOME_HAVE_BRGEMM) return false;
  switch (math) {
    case Math::fp32:
      return cpu().avx2;
    case Math::bf16:
      // Intel's AVX-512 alone multiplies bfloat16 no faster than float32; its matrix units and
      // AMD's AVX-512 do.
      return cpu().amx_bf16 || (cpu().avx512_bf16 && cpu().amd);
    case Math::int8:
      return cpu().amx_int8 || cpu().avx512_vnni;
  }
  return false;
}

#if VITOME_HAVE_BRGEMM

void multiply(Math math, int64_t m, int64_t n, int64_t k, const void* a, int64_t lda, const void* b,
              void* c, int64_t ldc) {
  namespace blas = at::native::cpublas;
  switch (math) {
    case Math::fp32:
      return blas::brgemm(m, n, k, lda, n, ldc, false, static_cast<const float*>(a),
                          static_cast<const float*>(b), static_cast<float*>(c));
    case Math::bf16:
      return blas::brgemm(m, n, k, lda, n, ldc, false, static_cast<const at::BFloat16*>(a),
                          static_cast<const at::BFloat16*>(b), static_cast<float*>(c));
    case Math::int8:
      return blas::brgemm(m, n, k, lda, n, ldc, false, static_cast<const unsigned char*>(a),
                          static_cast<const signed char*>(b), static_cast<int32_t*>(c));
  }
}

void end_of_products() { at::native::cpublas::brgemm_release(); }

#else

void multiply(Math, int64_t, int64_t, int64_t, const void*, int64_t, const void*, void*, int64_t) {
  TORCH_CHECK(false, "multiply: this LibTorch has no block matrix kernels");
}

void end_of_products() {}

#endif

}  // namespace vit::kernels
