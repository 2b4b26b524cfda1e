// Tile kernels of simd.h.

#include <vit/kernels/simd_targets.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "vit/kernels/tiles.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <vit/kernels/simd_math-inl.h>

HWY_BEFORE_NAMESPACE();
namespace vit::simd::HWY_NAMESPACE {
namespace {

template <typename T>
HWY_INLINE void store_of(const Tile& tile, const float* bias, T* out, int64_t out_ld) {
  const DF d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t c = 0; c < tile.cols; c += lanes) {
    const auto b = load(d, bias + c);
    for (int64_t r = 0; r < tile.rows; ++r)
      put(d, hn::Add(load(d, tile.data + r * tile.ld + c), b), out + r * out_ld + c);
  }
}

template <TileActivation kKind, typename T>
HWY_INLINE void activate_of(const Tile& tile, const float* bias, T* out, int64_t out_ld) {
  const DF d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t c = 0; c < tile.cols; c += lanes) {
    const auto b = load(d, bias + c);
    int64_t r = 0;
    for (; r + 2 <= tile.rows; r += 2) {  // two at once hide each other's latency
      const float* from = tile.data + r * tile.ld + c;
      const auto x0 = hn::Add(load(d, from), b), x1 = hn::Add(load(d, from + tile.ld), b);
      const auto y0 = activated<kKind, T>(d, x0), y1 = activated<kKind, T>(d, x1);
      put(d, y0, out + r * out_ld + c);
      put(d, y1, out + (r + 1) * out_ld + c);
    }
    for (; r < tile.rows; ++r) {
      const auto x = hn::Add(load(d, tile.data + r * tile.ld + c), b);
      put(d, activated<kKind, T>(d, x), out + r * out_ld + c);
    }
  }
}

template <typename T>
HWY_INLINE void activate_any(const Tile& tile, const float* bias, TileActivation activation, T* out,
                             int64_t out_ld) {
  switch (activation) {
    case TileActivation::gelu:
      return activate_of<TileActivation::gelu>(tile, bias, out, out_ld);
    case TileActivation::gelu_tanh:
      return activate_of<TileActivation::gelu_tanh>(tile, bias, out, out_ld);
    case TileActivation::quick_gelu:
      return activate_of<TileActivation::quick_gelu>(tile, bias, out, out_ld);
  }
}

template <typename T>
HWY_INLINE void gate_of(const Tile& gate, const float* gate_bias, const float* value,
                        const float* value_bias, T* out, int64_t out_ld) {
  const DF d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t r = 0; r < gate.rows; ++r)
    for (int64_t c = 0; c < gate.cols; c += lanes) {
      const int64_t at = r * gate.ld + c;
      const auto g = hn::Add(load(d, gate.data + at), load(d, gate_bias + c));
      const auto v = hn::Add(load(d, value + at), load(d, value_bias + c));
      put(d, hn::Mul(sigmoid_gate(d, g, 1.0f), v), out + r * out_ld + c);
    }
}

void store_f32(const Tile& tile, const float* bias, float* out, int64_t out_ld) {
  store_of(tile, bias, out, out_ld);
}
void store_bf16(const Tile& tile, const float* bias, Bf16* out, int64_t out_ld) {
  store_of(tile, bias, out, out_ld);
}
void activate_f32(const Tile& tile, const float* bias, TileActivation activation, float* out,
                  int64_t out_ld) {
  activate_any(tile, bias, activation, out, out_ld);
}
void activate_bf16(const Tile& tile, const float* bias, TileActivation activation, Bf16* out,
                   int64_t out_ld) {
  activate_any(tile, bias, activation, out, out_ld);
}
void gate_f32(const Tile& gate, const float* gate_bias, const float* value, const float* value_bias,
              float* out, int64_t out_ld) {
  gate_of(gate, gate_bias, value, value_bias, out, out_ld);
}
void gate_bf16(const Tile& gate, const float* gate_bias, const float* value,
               const float* value_bias, Bf16* out, int64_t out_ld) {
  gate_of(gate, gate_bias, value, value_bias, out, out_ld);
}

void add_of(const Tile& tile, const float* bias, const float* gamma, float* x, int64_t x_ld) {
  const DF d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t c = 0; c < tile.cols; c += lanes) {
    const auto b = load(d, bias + c), g = gamma ? load(d, gamma + c) : hn::Set(d, 1.0f);
    for (int64_t r = 0; r < tile.rows; ++r) {
      float* to = x + r * x_ld + c;
      const auto branch = hn::Add(load(d, tile.data + r * tile.ld + c), b);
      put(d, hn::MulAdd(branch, g, load(d, to)), to);
    }
  }
}

void accumulate_of(const Tile& tile, float factor, bool first, float* out, int64_t out_ld) {
  const DF d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto f = hn::Set(d, factor);
  for (int64_t r = 0; r < tile.rows; ++r)
    for (int64_t c = 0; c < tile.cols; c += lanes) {
      float* to = out + r * out_ld + c;
      const auto before = first ? hn::Zero(d) : load(d, to);
      put(d, hn::MulAdd(load(d, tile.data + r * tile.ld + c), f, before), to);
    }
}

template <typename T>
HWY_INLINE void scale_rows_of(const Tile& tile, const float* factors, T* out, int64_t out_ld) {
  const DF d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t r = 0; r < tile.rows; ++r) {
    const auto f = hn::Set(d, factors[r]);
    for (int64_t c = 0; c < tile.cols; c += lanes)
      put(d, hn::Mul(load(d, tile.data + r * tile.ld + c), f), out + r * out_ld + c);
  }
}

void scale_rows_f32(const Tile& tile, const float* factors, float* out, int64_t out_ld) {
  scale_rows_of(tile, factors, out, out_ld);
}
void scale_rows_bf16(const Tile& tile, const float* factors, Bf16* out, int64_t out_ld) {
  scale_rows_of(tile, factors, out, out_ld);
}

void dequantize_of(int32_t* tile, int64_t ld, int64_t rows, int64_t cols,
                   const Quantized* row_scales, const float* columns, const int32_t* sums) {
  const DF d;
  const DI di;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t r = 0; r < rows; ++r) {
    const auto zero = hn::Set(di, row_scales[r].zero);
    const auto scale = hn::Set(d, row_scales[r].scale);
    for (int64_t c = 0; c < cols; c += lanes) {
      int32_t* at = tile + r * ld + c;
      const auto sum = hn::Sub(hn::LoadU(di, at), hn::Mul(zero, hn::LoadU(di, sums + c)));
      const auto value = hn::Mul(hn::ConvertTo(d, sum), hn::Mul(scale, load(d, columns + c)));
      put(d, value, reinterpret_cast<float*>(at));
    }
  }
}

}  // namespace
}  // namespace vit::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vit::simd {

HWY_EXPORT(store_f32);
HWY_EXPORT(store_bf16);
HWY_EXPORT(activate_f32);
HWY_EXPORT(activate_bf16);
HWY_EXPORT(gate_f32);
HWY_EXPORT(gate_bf16);
HWY_EXPORT(add_of);
HWY_EXPORT(accumulate_of);
HWY_EXPORT(scale_rows_f32);
HWY_EXPORT(scale_rows_bf16);
HWY_EXPORT(dequantize_of);

template <>
void store(const Tile& tile, const float* bias, float* out, int64_t out_ld) {
  HWY_DYNAMIC_DISPATCH(store_f32)(tile, bias, out, out_ld);
}
template <>
void store(const Tile& tile, const float* bias, Bf16* out, int64_t out_ld) {
  HWY_DYNAMIC_DISPATCH(store_bf16)(tile, bias, out, out_ld);
}
template <>
void activate(const Tile& tile, const float* bias, TileActivation activation, float* out,
              int64_t out_ld) {
  HWY_DYNAMIC_DISPATCH(activate_f32)(tile, bias, activation, out, out_ld);
}
template <>
void activate(const Tile& tile, const float* bias, TileActivation activation, Bf16* out,
              int64_t out_ld) {
  HWY_DYNAMIC_DISPATCH(activate_bf16)(tile, bias, activation, out, out_ld);
}
template <>
void gate(const Tile& gate, const float* gate_bias, const float* value, const float* value_bias,
          float* out, int64_t out_ld) {
  HWY_DYNAMIC_DISPATCH(gate_f32)(gate, gate_bias, value, value_bias, out, out_ld);
}
template <>
void gate(const Tile& gate, const float* gate_bias, const float* value, const float* value_bias,
          Bf16* out, int64_t out_ld) {
  HWY_DYNAMIC_DISPATCH(gate_bf16)(gate, gate_bias, value, value_bias, out, out_ld);
}
void add(const Tile& tile, const float* bias, const float* gamma, float* x, int64_t x_ld) {
  HWY_DYNAMIC_DISPATCH(add_of)(tile, bias, gamma, x, x_ld);
}
void accumulate(const Tile& tile, float factor, bool first, float* out, int64_t out_ld) {
  HWY_DYNAMIC_DISPATCH(accumulate_of)(tile, factor, first, out, out_ld);
}
template <>
void scale_rows(const Tile& tile, const float* factors, float* out, int64_t out_ld) {
  HWY_DYNAMIC_DISPATCH(scale_rows_f32)(tile, factors, out, out_ld);
}
template <>
void scale_rows(const Tile& tile, const float* factors, Bf16* out, int64_t out_ld) {
  HWY_DYNAMIC_DISPATCH(scale_rows_bf16)(tile, factors, out, out_ld);
}
void dequantize(int32_t* tile, int64_t ld, int64_t rows, int64_t cols, const Quantized* row_scales,
                const float* columns, const int32_t* sums) {
  HWY_DYNAMIC_DISPATCH(dequantize_of)(tile, ld, rows, cols, row_scales, columns, sums);
}

}  // namespace vit::simd
#endif
