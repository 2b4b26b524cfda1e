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

/// What quantized columns from `c` on have: scales, or sums.
template <bool kScaled>
HWY_INLINE VF of_columns(DF d, const float* columns, int64_t c) {
  return kScaled ? load(d, columns + c) : hn::Zero(d);
}

/// tile + bias.
template <bool kScaled>
HWY_INLINE VF biased(DF d, const Tile& tile, int64_t r, int64_t c, VF bias, VF scale, VF sum) {
  const float* at = tile.data + r * tile.ld + c;
  if constexpr (kScaled) {
    const Quantized& row = tile.scales.rows[r];
    const auto sums = hn::ConvertTo(d, hn::LoadU(DI(), reinterpret_cast<const int32_t*>(at)));
    const auto centered = hn::NegMulAdd(hn::Set(d, row.zero), sum, sums);
    return hn::MulAdd(hn::Mul(centered, scale), hn::Set(d, row.scale), bias);
  } else {
    return hn::Add(load(d, at), bias);
  }
}

template <bool kScaled, typename T>
HWY_INLINE void store_of(const Tile& tile, const float* bias, T* out, int64_t out_ld) {
  const DF d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t r = 0; r < tile.rows; ++r)
    for (int64_t c = 0; c < tile.cols; c += lanes) {
      const auto b = load(d, bias + c), scale = of_columns<kScaled>(d, tile.scales.columns, c);
      const auto sum = of_columns<kScaled>(d, tile.scales.sums, c);
      put(d, biased<kScaled>(d, tile, r, c, b, scale, sum), out + r * out_ld + c);
    }
}

template <bool kScaled, TileActivation kKind, typename T>
HWY_INLINE void activate_of(const Tile& tile, const float* bias, T* out, int64_t out_ld) {
  const DF d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t c = 0; c < tile.cols; c += lanes) {
    const auto b = load(d, bias + c), scale = of_columns<kScaled>(d, tile.scales.columns, c);
    const auto sum = of_columns<kScaled>(d, tile.scales.sums, c);
    int64_t r = 0;
    for (; r + 2 <= tile.rows; r += 2) {  // two at once hide each other's latency
      const auto x0 = biased<kScaled>(d, tile, r, c, b, scale, sum);
      const auto x1 = biased<kScaled>(d, tile, r + 1, c, b, scale, sum);
      const auto y0 = activated<kKind, T>(d, x0), y1 = activated<kKind, T>(d, x1);
      put(d, y0, out + r * out_ld + c);
      put(d, y1, out + (r + 1) * out_ld + c);
    }
    for (; r < tile.rows; ++r) {
      const auto x = biased<kScaled>(d, tile, r, c, b, scale, sum);
      put(d, activated<kKind, T>(d, x), out + r * out_ld + c);
    }
  }
}

template <bool kScaled, typename T>
HWY_INLINE void gate_of(const Tile& gate, const float* gate_bias, const Tile& value,
                        const float* value_bias, T* out, int64_t out_ld) {
  const DF d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t c = 0; c < gate.cols; c += lanes) {
    const auto gate_b = load(d, gate_bias + c), value_b = load(d, value_bias + c);
    const auto gate_scale = of_columns<kScaled>(d, gate.scales.columns, c);
    const auto gate_sum = of_columns<kScaled>(d, gate.scales.sums, c);
    const auto value_scale = of_columns<kScaled>(d, value.scales.columns, c);
    const auto value_sum = of_columns<kScaled>(d, value.scales.sums, c);
    for (int64_t r = 0; r < gate.rows; ++r) {
      const auto g = biased<kScaled>(d, gate, r, c, gate_b, gate_scale, gate_sum);
      const auto v = biased<kScaled>(d, value, r, c, value_b, value_scale, value_sum);
      put(d, hn::Mul(sigmoid_gate(d, g, 1.0f), v), out + r * out_ld + c);
    }
  }
}

template <bool kScaled>
HWY_INLINE void add_of(const Tile& tile, const float* bias, const float* gamma, float* x,
                       int64_t x_ld) {
  const DF d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t c = 0; c < tile.cols; c += lanes) {
    const auto b = load(d, bias + c), g = gamma ? load(d, gamma + c) : hn::Set(d, 1.0f);
    const auto scale = of_columns<kScaled>(d, tile.scales.columns, c);
    const auto sum = of_columns<kScaled>(d, tile.scales.sums, c);
    for (int64_t r = 0; r < tile.rows; ++r) {
      float* to = x + r * x_ld + c;
      const auto branch = biased<kScaled>(d, tile, r, c, b, scale, sum);
      put(d, hn::MulAdd(branch, g, load(d, to)), to);
    }
  }
}

// What the kernels are for each kind of tile.

template <typename T>
HWY_INLINE void store_any(const Tile& tile, const float* bias, T* out, int64_t out_ld) {
  if (tile.scales.rows)
    store_of<true>(tile, bias, out, out_ld);
  else
    store_of<false>(tile, bias, out, out_ld);
}
void store_f32(const Tile& tile, const float* bias, float* out, int64_t out_ld) {
  store_any(tile, bias, out, out_ld);
}
void store_bf16(const Tile& tile, const float* bias, Bf16* out, int64_t out_ld) {
  store_any(tile, bias, out, out_ld);
}

template <bool kScaled, typename T>
HWY_INLINE void activate_with(const Tile& tile, const float* bias, TileActivation activation,
                              T* out, int64_t out_ld) {
  switch (activation) {
    case TileActivation::gelu:
      return activate_of<kScaled, TileActivation::gelu>(tile, bias, out, out_ld);
    case TileActivation::gelu_tanh:
      return activate_of<kScaled, TileActivation::gelu_tanh>(tile, bias, out, out_ld);
    case TileActivation::quick_gelu:
      return activate_of<kScaled, TileActivation::quick_gelu>(tile, bias, out, out_ld);
    case TileActivation::silu:
      return activate_of<kScaled, TileActivation::silu>(tile, bias, out, out_ld);
  }
}
template <typename T>
HWY_INLINE void activate_any(const Tile& tile, const float* bias, TileActivation activation, T* out,
                             int64_t out_ld) {
  if (tile.scales.rows)
    activate_with<true>(tile, bias, activation, out, out_ld);
  else
    activate_with<false>(tile, bias, activation, out, out_ld);
}
void activate_f32(const Tile& tile, const float* bias, TileActivation activation, float* out,
                  int64_t out_ld) {
  activate_any(tile, bias, activation, out, out_ld);
}
void activate_bf16(const Tile& tile, const float* bias, TileActivation activation, Bf16* out,
                   int64_t out_ld) {
  activate_any(tile, bias, activation, out, out_ld);
}

template <typename T>
HWY_INLINE void gate_any(const Tile& gate, const float* gate_bias, const Tile& value,
                         const float* value_bias, T* out, int64_t out_ld) {
  if (gate.scales.rows)
    gate_of<true>(gate, gate_bias, value, value_bias, out, out_ld);
  else
    gate_of<false>(gate, gate_bias, value, value_bias, out, out_ld);
}
void gate_f32(const Tile& gate, const float* gate_bias, const Tile& value, const float* value_bias,
              float* out, int64_t out_ld) {
  gate_any(gate, gate_bias, value, value_bias, out, out_ld);
}
void gate_bf16(const Tile& gate, const float* gate_bias, const Tile& value, const float* value_bias,
               Bf16* out, int64_t out_ld) {
  gate_any(gate, gate_bias, value, value_bias, out, out_ld);
}

void add_any(const Tile& tile, const float* bias, const float* gamma, float* x, int64_t x_ld) {
  if (tile.scales.rows)
    add_of<true>(tile, bias, gamma, x, x_ld);
  else
    add_of<false>(tile, bias, gamma, x, x_ld);
}

// Of tiles without scales.

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
HWY_EXPORT(add_any);
HWY_EXPORT(accumulate_of);
HWY_EXPORT(scale_rows_f32);
HWY_EXPORT(scale_rows_bf16);

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
void gate(const Tile& gate, const float* gate_bias, const Tile& value, const float* value_bias,
          float* out, int64_t out_ld) {
  HWY_DYNAMIC_DISPATCH(gate_f32)(gate, gate_bias, value, value_bias, out, out_ld);
}
template <>
void gate(const Tile& gate, const float* gate_bias, const Tile& value, const float* value_bias,
          Bf16* out, int64_t out_ld) {
  HWY_DYNAMIC_DISPATCH(gate_bf16)(gate, gate_bias, value, value_bias, out, out_ld);
}
void add(const Tile& tile, const float* bias, const float* gamma, float* x, int64_t x_ld) {
  HWY_DYNAMIC_DISPATCH(add_any)(tile, bias, gamma, x, x_ld);
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

}  // namespace vit::simd
#endif
