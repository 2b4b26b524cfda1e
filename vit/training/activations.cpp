// Tile kernels of training/simd.h.

#include <vit/kernels/simd_targets.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "vit/training/activations.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <vit/kernels/simd_math-inl.h>
#include <vit/training/simd.h>

HWY_BEFORE_NAMESPACE();
namespace vit::simd::HWY_NAMESPACE {
namespace {

/// A function at one place, and its slope there.
struct Point {
  VF value;
  VF slope;
};

/// x sigmoid(s x).
HWY_INLINE Point sigmoid_gate_at(DF d, VF x, float steepness) {
  const auto one = hn::Set(d, 1.0f);
  const auto z = hn::Mul(x, hn::Set(d, -kLog2E * steepness));
  const auto sigmoid = hn::Div(one, hn::Add(exp2(d, hn::Min(z, hn::Set(d, 126.0f))), one));
  const auto value = hn::Mul(x, sigmoid);
  const auto rest = hn::Mul(hn::Sub(one, sigmoid), hn::Set(d, steepness));
  return {value, hn::MulAdd(value, rest, sigmoid)};
}

/// x sigmoid(u(x)) with the cubic u of the tanh form.
HWY_INLINE Point gelu_tanh_at(DF d, VF x) {
  const auto one = hn::Set(d, 1.0f), square = hn::Mul(x, x);
  const auto inner = hn::MulAdd(square, hn::Set(d, kGeluTanhCubic), one);
  const auto z = hn::Mul(hn::Mul(x, inner), hn::Set(d, -kGeluTanhScale * kLog2E));
  const auto sigmoid = hn::Div(one, hn::Add(exp2(d, hn::Min(z, hn::Set(d, 126.0f))), one));
  const auto value = hn::Mul(x, sigmoid);
  const auto du =
      hn::Mul(hn::MulAdd(square, hn::Set(d, 3 * kGeluTanhCubic), one), hn::Set(d, kGeluTanhScale));
  return {value, hn::MulAdd(hn::Mul(value, hn::Sub(one, sigmoid)), du, sigmoid)};
}

/// x Phi(x), as gelu_fine() has it.
HWY_INLINE Point gelu_at(DF d, VF x) {
  const auto [tail, density] = gelu_tail(d, x);
  const auto cumulative =
      hn::IfThenElse(hn::Lt(x, hn::Zero(d)), tail, hn::Sub(hn::Set(d, 1.0f), tail));
  const auto slope = hn::MulAdd(hn::Mul(x, hn::Set(d, 0.39894228f)), density, cumulative);
  return {hn::Mul(x, cumulative), slope};
}

/// The same with an absolute error of the slope of 2e-4, a tenth of what bfloat16 rounds away at
/// one: a polynomial fitted to it on [-4.5, 4.5].
HWY_INLINE Point gelu_coarse_at(DF d, VF x) {
  const auto c = hn::Min(hn::Max(x, hn::Set(d, -4.5f)), hn::Set(d, 4.5f));
  const auto u = hn::Mul(c, c);
  auto p = hn::Set(d, -2.21064504e-11f);
  p = hn::MulAdd(p, u, hn::Set(d, 2.52116839e-09f));
  p = hn::MulAdd(p, u, hn::Set(d, -1.26799321e-07f));
  p = hn::MulAdd(p, u, hn::Set(d, 3.72180216e-06f));
  p = hn::MulAdd(p, u, hn::Set(d, -7.12202236e-05f));
  p = hn::MulAdd(p, u, hn::Set(d, 0.000940528116f));
  p = hn::MulAdd(p, u, hn::Set(d, -0.00881579425f));
  p = hn::MulAdd(p, u, hn::Set(d, 0.0586091392f));
  p = hn::MulAdd(p, u, hn::Set(d, -0.26492548f));
  p = hn::MulAdd(p, u, hn::Set(d, 0.797626078f));
  return {gelu_coarse(d, x), hn::MulAdd(c, p, hn::Set(d, 0.5f))};
}

template <TileActivation kKind, typename T>
HWY_INLINE Point activation_at(DF d, VF x) {
  if constexpr (kKind == TileActivation::gelu)
    return sizeof(T) == sizeof(float) ? gelu_at(d, x) : gelu_coarse_at(d, x);
  if constexpr (kKind == TileActivation::gelu_tanh) return gelu_tanh_at(d, x);
  if constexpr (kKind == TileActivation::silu) return sigmoid_gate_at(d, x, 1.0f);
  return sigmoid_gate_at(d, x, kQuickGeluSteepness);
}

template <TileActivation kKind, typename T>
HWY_INLINE void save_of(const Tile& tile, const float* bias, T* saved, int64_t saved_ld, T* out,
                        int64_t out_ld) {
  const DF d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t c = 0; c < tile.cols; c += lanes) {
    const auto b = load(d, bias + c);
    for (int64_t r = 0; r < tile.rows; ++r) {
      const auto x = hn::Add(load(d, tile.data + r * tile.ld + c), b);
      put(d, x, saved + r * saved_ld + c);
      put(d, activated<kKind, T>(d, x), out + r * out_ld + c);
    }
  }
}

template <TileActivation kKind, typename T>
HWY_INLINE void backward_of(const Tile& tile, const T* saved, int64_t saved_ld, T* dsaved,
                            int64_t dsaved_ld, T* value, int64_t value_ld) {
  const DF d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t r = 0; r < tile.rows; ++r)
    for (int64_t c = 0; c < tile.cols; c += lanes) {
      const auto at = activation_at<kKind, T>(d, load(d, saved + r * saved_ld + c));
      put(d, hn::Mul(load(d, tile.data + r * tile.ld + c), at.slope), dsaved + r * dsaved_ld + c);
      put(d, at.value, value + r * value_ld + c);
    }
}

template <typename T>
HWY_INLINE void save_any(const Tile& tile, const float* bias, TileActivation activation, T* saved,
                         int64_t saved_ld, T* out, int64_t out_ld) {
  switch (activation) {
    case TileActivation::gelu:
      return save_of<TileActivation::gelu>(tile, bias, saved, saved_ld, out, out_ld);
    case TileActivation::gelu_tanh:
      return save_of<TileActivation::gelu_tanh>(tile, bias, saved, saved_ld, out, out_ld);
    case TileActivation::quick_gelu:
      return save_of<TileActivation::quick_gelu>(tile, bias, saved, saved_ld, out, out_ld);
    case TileActivation::silu:
      return save_of<TileActivation::silu>(tile, bias, saved, saved_ld, out, out_ld);
  }
}

template <typename T>
HWY_INLINE void backward_any(const Tile& tile, const T* saved, int64_t saved_ld,
                             TileActivation activation, T* dsaved, int64_t dsaved_ld, T* value,
                             int64_t value_ld) {
  switch (activation) {
    case TileActivation::gelu:
      return backward_of<TileActivation::gelu>(tile, saved, saved_ld, dsaved, dsaved_ld, value,
                                               value_ld);
    case TileActivation::gelu_tanh:
      return backward_of<TileActivation::gelu_tanh>(tile, saved, saved_ld, dsaved, dsaved_ld, value,
                                                    value_ld);
    case TileActivation::quick_gelu:
      return backward_of<TileActivation::quick_gelu>(tile, saved, saved_ld, dsaved, dsaved_ld,
                                                     value, value_ld);
    case TileActivation::silu:
      return backward_of<TileActivation::silu>(tile, saved, saved_ld, dsaved, dsaved_ld, value,
                                               value_ld);
  }
}

template <typename T>
HWY_INLINE void gate_save_of(const GatedTile& tile, int64_t distance, T* saved, int64_t saved_ld,
                             T* out, int64_t out_ld) {
  const DF d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t r = 0; r < tile.gate.rows; ++r)
    for (int64_t c = 0; c < tile.gate.cols; c += lanes) {
      const int64_t at = r * tile.gate.ld + c;
      const auto g = hn::Add(load(d, tile.gate.data + at), load(d, tile.gate_bias + c));
      const auto v = hn::Add(load(d, tile.value + at), load(d, tile.value_bias + c));
      put(d, g, saved + r * saved_ld + c);
      put(d, v, saved + r * saved_ld + distance + c);
      put(d, hn::Mul(sigmoid_gate(d, g, 1.0f), v), out + r * out_ld + c);
    }
}

template <typename T>
HWY_INLINE void gate_backward_of(const Tile& tile, const T* saved, int64_t saved_ld,
                                 int64_t distance, T* dsaved, int64_t dsaved_ld, T* value,
                                 int64_t value_ld) {
  const DF d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t r = 0; r < tile.rows; ++r)
    for (int64_t c = 0; c < tile.cols; c += lanes) {
      const auto gradient = load(d, tile.data + r * tile.ld + c);
      const auto gate = sigmoid_gate_at(d, load(d, saved + r * saved_ld + c), 1.0f);
      const auto v = load(d, saved + r * saved_ld + distance + c);
      put(d, hn::Mul(hn::Mul(gradient, v), gate.slope), dsaved + r * dsaved_ld + c);
      put(d, hn::Mul(gradient, gate.value), dsaved + r * dsaved_ld + distance + c);
      put(d, hn::Mul(gate.value, v), value + r * value_ld + c);
    }
}

void save_f32(const Tile& tile, const float* bias, TileActivation activation, float* saved,
              int64_t saved_ld, float* out, int64_t out_ld) {
  save_any(tile, bias, activation, saved, saved_ld, out, out_ld);
}
void save_bf16(const Tile& tile, const float* bias, TileActivation activation, Bf16* saved,
               int64_t saved_ld, Bf16* out, int64_t out_ld) {
  save_any(tile, bias, activation, saved, saved_ld, out, out_ld);
}
void backward_f32(const Tile& tile, const float* saved, int64_t saved_ld, TileActivation activation,
                  float* dsaved, int64_t dsaved_ld, float* value, int64_t value_ld) {
  backward_any(tile, saved, saved_ld, activation, dsaved, dsaved_ld, value, value_ld);
}
void backward_bf16(const Tile& tile, const Bf16* saved, int64_t saved_ld, TileActivation activation,
                   Bf16* dsaved, int64_t dsaved_ld, Bf16* value, int64_t value_ld) {
  backward_any(tile, saved, saved_ld, activation, dsaved, dsaved_ld, value, value_ld);
}
void gate_save_f32(const GatedTile& tile, int64_t distance, float* saved, int64_t saved_ld,
                   float* out, int64_t out_ld) {
  gate_save_of(tile, distance, saved, saved_ld, out, out_ld);
}
void gate_save_bf16(const GatedTile& tile, int64_t distance, Bf16* saved, int64_t saved_ld,
                    Bf16* out, int64_t out_ld) {
  gate_save_of(tile, distance, saved, saved_ld, out, out_ld);
}
void gate_backward_f32(const Tile& tile, const float* saved, int64_t saved_ld, int64_t distance,
                       float* dsaved, int64_t dsaved_ld, float* value, int64_t value_ld) {
  gate_backward_of(tile, saved, saved_ld, distance, dsaved, dsaved_ld, value, value_ld);
}
void gate_backward_bf16(const Tile& tile, const Bf16* saved, int64_t saved_ld, int64_t distance,
                        Bf16* dsaved, int64_t dsaved_ld, Bf16* value, int64_t value_ld) {
  gate_backward_of(tile, saved, saved_ld, distance, dsaved, dsaved_ld, value, value_ld);
}

void add_branch_of(const Tile& tile, const Branch& branch, const float* x, float* out, int64_t ld) {
  const DF d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t c = 0; c < tile.cols; c += lanes) {
    const auto b = load(d, branch.bias + c);
    const auto gamma = branch.gamma ? load(d, branch.gamma + c) : hn::Set(d, 1.0f);
    for (int64_t r = 0; r < tile.rows; ++r) {
      const auto factor = branch.factors ? hn::Mul(gamma, hn::Set(d, branch.factors[r])) : gamma;
      const auto y = hn::Add(load(d, tile.data + r * tile.ld + c), b);
      put(d, hn::MulAdd(y, factor, load(d, x + r * ld + c)), out + r * ld + c);
    }
  }
}

}  // namespace
}  // namespace vit::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vit::simd {

HWY_EXPORT(save_f32);
HWY_EXPORT(save_bf16);
HWY_EXPORT(backward_f32);
HWY_EXPORT(backward_bf16);
HWY_EXPORT(gate_save_f32);
HWY_EXPORT(gate_save_bf16);
HWY_EXPORT(gate_backward_f32);
HWY_EXPORT(gate_backward_bf16);
HWY_EXPORT(add_branch_of);

void add_branch(const Tile& tile, const Branch& branch, const float* x, float* out, int64_t ld) {
  HWY_DYNAMIC_DISPATCH(add_branch_of)(tile, branch, x, out, ld);
}
template <>
void activate_and_save(const Tile& tile, const float* bias, TileActivation activation, float* saved,
                       int64_t saved_ld, float* out, int64_t out_ld) {
  HWY_DYNAMIC_DISPATCH(save_f32)(tile, bias, activation, saved, saved_ld, out, out_ld);
}
template <>
void activate_and_save(const Tile& tile, const float* bias, TileActivation activation, Bf16* saved,
                       int64_t saved_ld, Bf16* out, int64_t out_ld) {
  HWY_DYNAMIC_DISPATCH(save_bf16)(tile, bias, activation, saved, saved_ld, out, out_ld);
}
template <>
void activate_backward(const Tile& tile, const float* saved, int64_t saved_ld,
                       TileActivation activation, float* dsaved, int64_t dsaved_ld, float* value,
                       int64_t value_ld) {
  HWY_DYNAMIC_DISPATCH(backward_f32)
  (tile, saved, saved_ld, activation, dsaved, dsaved_ld, value, value_ld);
}
template <>
void activate_backward(const Tile& tile, const Bf16* saved, int64_t saved_ld,
                       TileActivation activation, Bf16* dsaved, int64_t dsaved_ld, Bf16* value,
                       int64_t value_ld) {
  HWY_DYNAMIC_DISPATCH(backward_bf16)
  (tile, saved, saved_ld, activation, dsaved, dsaved_ld, value, value_ld);
}
template <>
void gate_and_save(const GatedTile& tile, int64_t distance, float* saved, int64_t saved_ld,
                   float* out, int64_t out_ld) {
  HWY_DYNAMIC_DISPATCH(gate_save_f32)(tile, distance, saved, saved_ld, out, out_ld);
}
template <>
void gate_and_save(const GatedTile& tile, int64_t distance, Bf16* saved, int64_t saved_ld,
                   Bf16* out, int64_t out_ld) {
  HWY_DYNAMIC_DISPATCH(gate_save_bf16)(tile, distance, saved, saved_ld, out, out_ld);
}
template <>
void gate_backward(const Tile& tile, const float* saved, int64_t saved_ld, int64_t distance,
                   float* dsaved, int64_t dsaved_ld, float* value, int64_t value_ld) {
  HWY_DYNAMIC_DISPATCH(gate_backward_f32)
  (tile, saved, saved_ld, distance, dsaved, dsaved_ld, value, value_ld);
}
template <>
void gate_backward(const Tile& tile, const Bf16* saved, int64_t saved_ld, int64_t distance,
                   Bf16* dsaved, int64_t dsaved_ld, Bf16* value, int64_t value_ld) {
  HWY_DYNAMIC_DISPATCH(gate_backward_bf16)
  (tile, saved, saved_ld, distance, dsaved, dsaved_ld, value, value_ld);
}

}  // namespace vit::simd
#endif
