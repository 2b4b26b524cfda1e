#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/vit/native.h"
#include "tests/vit/simd_target.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <vit/kernels/head_attention.h>
#include <vit/kernels/metric_linear.h>
#include <vit/kernels/packed_linear.h>
#include <vit/kernels/simd.h>
#include <vit/kernels/tile_rows.h>

// The fused kernels against the plain operators, each over a grid of shapes and for every
// instruction set.

namespace {

using vit::kernels::Math;
using vit::kernels::PackedLinear;
using vit::kernels::Workspace;
using vit::simd::Bf16;

at::Tensor random(at::IntArrayRef shape, uint64_t seed) {
  return at::randn(shape, at::make_generator<at::CPUGeneratorImpl>(seed));
}

/// Rows padded with zeros to a multiple of simd::kPad.
at::Tensor padded(const at::Tensor& x) {
  return at::constant_pad_nd(x, {0, vit::simd::round_up(x.size(-1)) - x.size(-1)}).contiguous();
}

const Bf16* bf16(const at::Tensor& x) {
  return reinterpret_cast<const Bf16*>(x.const_data_ptr<at::BFloat16>());
}
Bf16* bf16(at::Tensor& x) { return reinterpret_cast<Bf16*>(x.mutable_data_ptr<at::BFloat16>()); }

/// The whole of a linear layer without its bias -> [rows, outputs].
at::Tensor multiply(const PackedLinear& linear, const vit::kernels::Operand& operand,
                    int64_t rows) {
  auto out = at::empty({rows, linear.columns()}, at::kFloat);
  const int64_t count = linear.columns() / linear.group_columns() * linear.blocks_per_group();
  for (int64_t i = 0; i < count; ++i) {
    const auto& block = linear.block(i);
    float* to = out.mutable_data_ptr<float>() + block.column;
    const auto tile = linear.multiply_block(block, operand, 0, rows, to, linear.columns());
    const std::vector<float> no_bias(static_cast<size_t>(block.width));
    vit::simd::store(tile, no_bias.data(), to, linear.columns());
  }
  return out;
}

}  // namespace

TEST_CASE("a packed linear layer multiplies as the plain one does") {
  SKIP_UNLESS_NATIVE(Math::fp32);
  const auto target = GENERATE(from_range(test::SimdTarget::all()));
  const test::SimdTarget simd_target(target);
  const int64_t rows = GENERATE(1, 2, 17, 64, 131);
  const int64_t inputs = GENERATE(2, 36, 64, 200, 6200);  // also more than a cache holds at once
  const int64_t outputs = GENERATE(4, 30, 64, 132);
  const int64_t groups = GENERATE(1, 2);
  CAPTURE(target, rows, inputs, outputs, groups);
  const auto x = random({rows, inputs}, rows), weight = random({outputs, inputs}, 1000 + outputs);
  const auto bias = random({outputs}, 3);
  const auto unpadded = [&](const at::Tensor& y) {
    return y.view({rows, groups, -1}).slice(2, 0, outputs / groups).reshape({rows, outputs});
  };
  const auto input = padded(x);
  // Sums in float32 in whatever order: some ulps of the sum of absolute values.
  const auto close = [&](const at::Tensor& got, const at::Tensor& a, const at::Tensor& b) {
    const auto expected = at::linear(a.to(at::kDouble), b.to(at::kDouble));
    const auto scale = at::linear(a.to(at::kDouble).abs(), b.to(at::kDouble).abs());
    return ((unpadded(got).to(at::kDouble) - expected).abs() <= 1e-6 * scale).all().item<bool>();
  };

  const PackedLinear exact(weight, bias, Math::fp32, groups);
  CHECK(exact.inner() == input.size(1));
  const auto y = multiply(exact, {input.const_data_ptr(), input.size(1)}, rows);
  CHECK(close(y, x, weight));
  const auto stored_bias = at::from_blob(const_cast<float*>(exact.bias()), {1, exact.columns()});
  CHECK(test::same(stored_bias.view({groups, -1}).slice(1, 0, outputs / groups).flatten(), bias));

  if (vit::kernels::is_native(Math::bf16)) {
    const PackedLinear half(weight, bias, Math::bf16, groups);
    const auto narrow = input.to(at::kBFloat16);
    const auto got = multiply(half, {narrow.const_data_ptr(), narrow.size(1)}, rows);
    CHECK(close(got, x.to(at::kBFloat16), weight.to(at::kBFloat16)));
  }
  if (vit::kernels::is_native(Math::int8)) {
    const PackedLinear bytes(weight, bias, Math::int8, groups);
    auto quantized = at::empty(input.sizes(), at::kByte);
    std::vector<vit::simd::Quantized> scales(rows);
    auto restored = at::empty(input.sizes());
    for (int64_t i = 0; i < rows; ++i) {
      scales[i] =
          vit::simd::quantize(input.const_data_ptr<float>() + i * input.size(1), input.size(1),
                              quantized.mutable_data_ptr<uint8_t>() + i * input.size(1));
      restored[i].copy_((quantized[i].to(at::kFloat) - scales[i].zero) * scales[i].scale);
      CHECK(test::max_difference(restored[i], input[i]) <= 0.5001 * scales[i].scale);
    }
    const auto got =
        multiply(bytes, {quantized.const_data_ptr(), input.size(1), scales.data()}, rows);
    const auto step = weight.abs().amax(1, true) / 127;
    CHECK(close(got, restored.slice(1, 0, inputs), (weight / step).round() * step));
  }
  for (const auto math : {Math::bf16, Math::int8})
    if (!vit::kernels::is_native(math)) test::note_skip(test::not_native(math));
}

TEST_CASE("the metric is projected with 16 bits though bfloat16 has 8") {
  SKIP_UNLESS_NATIVE(Math::fp32);
  const auto target = GENERATE(from_range(test::SimdTarget::all()));
  const test::SimdTarget simd_target(target);
  const int64_t rows = GENERATE(1, 17, 131);
  const int64_t inputs = GENERATE(36, 200, 768);
  const int64_t outputs = GENERATE(10, 64, 72);
  CAPTURE(target, rows, inputs, outputs);
  const auto x = random({rows, inputs}, rows), weight = random({outputs, inputs}, 1000 + outputs);
  const auto bias = random({outputs}, 3);
  const auto input = padded(x);
  const int64_t columns = input.size(1), out_ld = vit::simd::round_up(outputs) + 16;
  const auto expected = at::linear(x.to(at::kDouble), weight.to(at::kDouble), bias.to(at::kDouble));
  const auto scale = at::linear(x.abs(), weight.abs(), bias.abs());
  std::vector<float> tile(vit::kernels::kTileRows * vit::kernels::kBlockColumns);
  const auto error = [&](const vit::kernels::MetricLinear& linear,
                         const vit::kernels::Operand& operand, const vit::kernels::Operand& rest) {
    auto out = at::full({rows, out_ld}, 7.0);
    linear.project(operand, rest, rows, tile.data(), out.mutable_data_ptr<float>(), out_ld);
    CHECK((out.slice(1, out_ld - 16) == 7.0).all().item<bool>());
    return ((out.slice(1, 0, outputs) - expected).abs() / scale).max().item<double>();
  };

  const vit::kernels::MetricLinear exact(weight, bias, Math::fp32);
  CHECK(error(exact, {input.const_data_ptr(), columns}, {}) < 1e-6);

  SKIP_UNLESS_NATIVE(Math::bf16);
  auto high = at::empty(input.sizes(), at::kBFloat16), low = at::empty_like(high);
  for (int64_t i = 0; i < rows; ++i)
    vit::simd::to_bf16_pair(input.const_data_ptr<float>() + i * columns, columns,
                            bf16(high) + i * columns, bf16(low) + i * columns);
  CHECK(test::same(high, input.to(at::kBFloat16)));
  CHECK(test::same(low, (input - high.to(at::kFloat)).to(at::kBFloat16)));
  const vit::kernels::MetricLinear pair(weight, bias, Math::bf16);
  // Every number keeps 16 bits, and the product of two rests has 2^-16 of the product.
  CHECK(error(pair, {high.const_data_ptr(), columns}, {low.const_data_ptr(), columns}) < 2e-5);
}

TEMPLATE_TEST_CASE("attention of a head is what scaled dot product attention gives", "", float,
                   Bf16) {
  const auto target = GENERATE(from_range(test::SimdTarget::all()));
  const test::SimdTarget simd_target(target);
  constexpr bool kExact = sizeof(TestType) == sizeof(float);
  SKIP_UNLESS_NATIVE(kExact ? Math::fp32 : Math::bf16);
  const auto dtype = kExact ? at::kFloat : at::kBFloat16;
  const int64_t tokens = GENERATE(1, 2, 3, 16, 31, 64, 65, 131, 197, 257, 599, 1214);
  const int64_t dim = GENERATE(10, 32, 64, 72, 80, 128);
  const bool biased = GENERATE(false, true);
  CAPTURE(target, tokens, dim, biased);
  const auto q = padded(random({tokens, dim}, 1)).to(dtype);
  const auto k = padded(random({tokens, dim}, 2)).to(dtype);
  const auto v = padded(random({tokens, dim}, 3)).to(dtype);
  const auto bias = padded(random({tokens}, 4).abs() + 0.5);

  Workspace workspace;
  const vit::kernels::HeadScratch<TestType> scratch(workspace, tokens, q.size(1));
  const float scale = 1.0f / std::sqrt(static_cast<float>(dim));
  const int64_t ld = dim + 3;  // whatever lies beside a head stays as it is
  auto out = at::full({tokens, ld}, 7.0, dtype);
  const auto pointer = [](const at::Tensor& x) {
    return static_cast<const TestType*>(x.const_data_ptr());
  };
  vit::kernels::Head<TestType> head{pointer(q), pointer(k), pointer(v), tokens,
                                    q.size(1),  dim,        scale,      nullptr};
  if (biased) head.bias = bias.const_data_ptr<float>();
  vit::kernels::attend(head, scratch, static_cast<TestType*>(out.mutable_data_ptr()), ld);

  const auto wide = [&](const at::Tensor& x) { return x.to(at::kDouble).slice(1, 0, dim); };
  auto scores = at::matmul(wide(q), wide(k).t()) * scale;
  if (biased) scores = scores + bias.slice(0, 0, tokens).to(at::kDouble) * std::log(2.0);
  const auto expected = at::matmul(scores.softmax(-1), wide(v));
  // bfloat16 rounds the numerators and the result, eight bits each.
  CHECK(test::max_difference(out.slice(1, 0, dim), expected) < (kExact ? 2e-5 : 0.02));
  CHECK((out.slice(1, dim) == 7.0).all().item<bool>());
}

TEST_CASE("layer norm of a row") {
  const auto target = GENERATE(from_range(test::SimdTarget::all()));
  const test::SimdTarget simd_target(target);
  const int64_t dim = GENERATE(1, 2, 15, 16, 40, 768, 1030);
  CAPTURE(target, dim);
  const auto x = random({dim}, 1) * 3 + 5, weight = random({dim}, 2), bias = random({dim}, 3);
  const auto row = padded(x), w = padded(weight), b = padded(bias);
  const auto expected = at::layer_norm(x, {dim}, weight, bias, 1e-6);
  auto out = at::full_like(row, 7.0);
  vit::simd::layer_norm(row.const_data_ptr<float>(), dim, w.const_data_ptr<float>(),
                        b.const_data_ptr<float>(), 1e-6f, out.mutable_data_ptr<float>());
  CHECK(test::max_difference(out.slice(0, 0, dim), expected) < 1e-5);
  CHECK((out.slice(0, dim) == 0).all().item<bool>());
  auto narrow = at::empty_like(row, at::kBFloat16);
  vit::simd::layer_norm(row.const_data_ptr<float>(), dim, w.const_data_ptr<float>(),
                        b.const_data_ptr<float>(), 1e-6f, bf16(narrow));
  // Equal but for sums that fall to the other side of a rounding.
  CHECK(test::max_difference(narrow, out) <= out.abs().max().item<double>() / 256);
}

TEST_CASE("norms of rows of both types, in place too") {
  const auto target = GENERATE(from_range(test::SimdTarget::all()));
  const test::SimdTarget simd_target(target);
  const int64_t dim = GENERATE(1, 2, 15, 16, 40, 768, 1030);
  CAPTURE(target, dim);
  // What bfloat16 holds, so that both types have the same numbers.
  const auto x = (random({dim}, 1) * 3 + 5).to(at::kBFloat16).to(at::kFloat);
  const auto weight = random({dim}, 2), bias = random({dim}, 3);
  const auto w = padded(weight), b = padded(bias);
  const float *at_w = w.const_data_ptr<float>(), *at_b = b.const_data_ptr<float>();
  auto row = padded(x), narrow = row.to(at::kBFloat16);
  const auto rms = at::rms_norm(x, {dim}, weight, 1e-6);
  auto out = at::full_like(row, 7.0);
  auto* to = out.mutable_data_ptr<float>();
  const auto close = [&](const at::Tensor& got, const at::Tensor& expected, double tolerance) {
    CHECK(test::max_difference(got.slice(0, 0, dim), expected) <= tolerance);
    CHECK((got.slice(0, dim) == 0).all().item<bool>());
  };
  const auto& narrow_row = static_cast<const at::Tensor&>(narrow);
  vit::simd::rms_norm(row.const_data_ptr<float>(), dim, at_w, 1e-6f, to);
  close(out, rms, 1e-5);
  vit::simd::rms_norm(bf16(narrow_row), dim, at_w, 1e-6f, to);
  close(out, rms, 1e-5);
  vit::simd::layer_norm(bf16(narrow_row), dim, at_w, at_b, 1e-6f, to);
  close(out, at::layer_norm(x, {dim}, weight, bias, 1e-6), 2e-5);
  vit::simd::rms_norm(bf16(narrow_row), dim, at_w, 1e-6f, bf16(narrow));
  close(narrow, rms, rms.abs().max().item<double>() / 256);
  vit::simd::rms_norm(row.const_data_ptr<float>(), dim, at_w, 1e-6f, row.mutable_data_ptr<float>());
  close(row, rms, 1e-5);
}

TEST_CASE("sine and cosine of angles") {
  const auto target = GENERATE(from_range(test::SimdTarget::all()));
  const test::SimdTarget simd_target(target);
  const double most = GENERATE(1.0, 7.0, 100.0, 8000.0, 1e6);
  CAPTURE(target, most);
  const auto frequencies = at::linspace(-most, most, 1 << 16);
  auto sin = at::empty_like(frequencies), cos = at::empty_like(frequencies);
  const float whole = 1;
  vit::simd::rotary_angles(&whole, frequencies.const_data_ptr<float>(), 1, frequencies.size(0),
                           sin.mutable_data_ptr<float>(), cos.mutable_data_ptr<float>());
  const auto exact = frequencies.to(at::kDouble);
  CHECK(test::max_difference(sin.to(at::kDouble), exact.sin()) < 1.2e-7);
  CHECK(test::max_difference(cos.to(at::kDouble), exact.cos()) < 1.2e-7);
}

TEST_CASE("angles add up over axes") {
  const auto target = GENERATE(from_range(test::SimdTarget::all()));
  const test::SimdTarget simd_target(target);
  CAPTURE(target);
  const auto frequencies = random({3, 48}, 1);
  const auto place = random({3}, 2) * 9;
  auto sin = at::empty({48}), cos = at::empty({48});
  vit::simd::rotary_angles(place.const_data_ptr<float>(), frequencies.const_data_ptr<float>(), 3,
                           48, sin.mutable_data_ptr<float>(), cos.mutable_data_ptr<float>());
  const auto angles = (place.to(at::kDouble).unsqueeze(1) * frequencies).sum(0);
  CHECK(test::max_difference(sin, angles.sin().to(at::kFloat)) < 1e-5);
  CHECK(test::max_difference(cos, angles.cos().to(at::kFloat)) < 1e-5);
}

TEST_CASE("activations of a tile") {
  const auto target = GENERATE(from_range(test::SimdTarget::all()));
  const test::SimdTarget simd_target(target);
  CAPTURE(target);
  using vit::simd::TileActivation;
  const auto x = at::linspace(-30, 30, 64 * 48).view({64, 48}).contiguous();
  const auto bias = random({48}, 1), z = x + bias;
  const auto [activation, expected] = GENERATE_COPY(
      table<TileActivation, at::Tensor>({{TileActivation::gelu, at::gelu(z)},
                                         {TileActivation::gelu_tanh, at::gelu(z, "tanh")},
                                         {TileActivation::quick_gelu, z * at::sigmoid(1.702 * z)},
                                         {TileActivation::silu, at::silu(z)}}));
  const vit::simd::Tile tile{x.const_data_ptr<float>(), 48, 64, 48};
  auto out = at::empty({64, 50});
  vit::simd::activate(tile, bias.const_data_ptr<float>(), activation, out.mutable_data_ptr<float>(),
                      50);
  CHECK(test::max_difference(out.slice(1, 0, 48), expected) < 1e-5);
  auto narrow = at::empty({64, 48}, at::kBFloat16);
  vit::simd::activate(tile, bias.const_data_ptr<float>(), activation, bf16(narrow), 48);
  // One rounding, and 4e-5 where the polynomial stands in for erf.
  const auto allowed = expected.abs() / 250 + 5e-5;
  CHECK(((narrow.to(at::kFloat) - expected).abs() <= allowed).all().item<bool>());
}

TEST_CASE("gates, residuals and sums of tiles") {
  const auto target = GENERATE(from_range(test::SimdTarget::all()));
  const test::SimdTarget simd_target(target);
  CAPTURE(target);
  const auto x = random({5, 32}, 1), y = random({5, 32}, 2);
  const auto b = random({32}, 3), c = random({32}, 4);
  const vit::simd::Tile tile{x.const_data_ptr<float>(), 32, 5, 32};
  auto out = at::empty({5, 32});
  vit::simd::gate(tile, b.const_data_ptr<float>(), {y.const_data_ptr<float>(), 32, 5, 32},
                  c.const_data_ptr<float>(), out.mutable_data_ptr<float>(), 32);
  CHECK(test::max_difference(out, at::silu(x + b) * (y + c)) < 1e-5);

  auto residual = y.clone();
  vit::simd::add(tile, b.const_data_ptr<float>(), c.const_data_ptr<float>(),
                 residual.mutable_data_ptr<float>(), 32);
  CHECK(test::max_difference(residual, y + c * (x + b)) < 1e-5);
  vit::simd::add(tile, b.const_data_ptr<float>(), nullptr, residual.mutable_data_ptr<float>(), 32);
  CHECK(test::max_difference(residual, y + (c + 1) * (x + b)) < 1e-5);

  vit::simd::accumulate(tile, 0.5f, true, out.mutable_data_ptr<float>(), 32);
  CHECK(test::same(out, x * 0.5));
  vit::simd::accumulate(tile, 0.25f, false, out.mutable_data_ptr<float>(), 32);
  CHECK(test::max_difference(out, x * 0.75) < 1e-6);
}

TEST_CASE("a tile of quantized sums is written as the numbers it stands for") {
  const auto target = GENERATE(from_range(test::SimdTarget::all()));
  const test::SimdTarget simd_target(target);
  const int64_t rows = GENERATE(1, 2, 7), cols = 48;
  CAPTURE(target, rows);
  const auto generator = at::make_generator<at::CPUGeneratorImpl>(1);
  const auto integers = [&](int64_t least, int64_t most, at::IntArrayRef shape) {
    return at::randint(least, most, shape, generator);
  };
  /// Sums, and the numbers that they stand for.
  struct Quantized {
    at::Tensor sums, column_scales, column_sums, numbers;
    std::vector<vit::simd::Quantized> rows;
  };
  const auto quantized = [&] {
    Quantized q;
    q.sums = integers(-3000000, 3000000, {rows, cols}).to(at::kInt);
    q.column_scales = at::rand({cols}, generator) + 0.5;
    q.column_sums = integers(-20000, 20000, {cols}).to(at::kFloat);
    const auto row_scales = (at::rand({rows}, generator) + 0.5) * 1e-6;
    const auto zeros = integers(0, 256, {rows});
    for (int64_t i = 0; i < rows; ++i)
      q.rows.push_back({row_scales[i].item<float>(), zeros[i].item<float>()});
    const auto centered =
        q.sums.to(at::kDouble) - zeros.to(at::kDouble).unsqueeze(1) * q.column_sums;
    q.numbers = (centered * q.column_scales * row_scales.unsqueeze(1)).to(at::kFloat);
    return q;
  };
  const auto tile_of = [&](const Quantized& q) {
    return vit::simd::Tile{static_cast<const float*>(q.sums.const_data_ptr()),
                           cols,
                           rows,
                           cols,
                           {q.rows.data(), q.column_scales.const_data_ptr<float>(),
                            q.column_sums.const_data_ptr<float>()}};
  };
  const auto first = quantized(), second = quantized();
  const auto bias = random({cols}, 3), gamma = random({cols}, 4);
  const float* b = bias.const_data_ptr<float>();
  auto out = at::empty({rows, cols});
  auto* to = out.mutable_data_ptr<float>();

  vit::simd::store(tile_of(first), b, to, cols);
  CHECK(test::max_difference(out, first.numbers + bias) < 1e-5);
  vit::simd::activate(tile_of(first), b, vit::simd::TileActivation::gelu, to, cols);
  CHECK(test::max_difference(out, at::gelu(first.numbers + bias)) < 1e-5);
  vit::simd::gate(tile_of(first), b, tile_of(second), b, to, cols);
  CHECK(test::max_difference(out, at::silu(first.numbers + bias) * (second.numbers + bias)) < 1e-4);
  out.fill_(1.0);
  vit::simd::add(tile_of(first), b, gamma.const_data_ptr<float>(), to, cols);
  CHECK(test::max_difference(out, 1 + gamma * (first.numbers + bias)) < 1e-5);
}

TEST_CASE("rows are quantized by their own range") {
  const auto target = GENERATE(from_range(test::SimdTarget::all()));
  const test::SimdTarget simd_target(target);
  const int64_t columns = GENERATE(16, 32, 48, 3072);
  const float shift = GENERATE(-9.0f, -1.0f, 0.0f, 0.5f, 9.0f);
  const float factor = GENERATE(0.0f, 1e-3f, 1.0f, 1e5f);
  CAPTURE(target, columns, shift, factor);
  // What bfloat16 holds, so that both types have the same numbers.
  const auto narrow = ((random({columns}, columns) + shift) * factor).to(at::kBFloat16);
  const auto x = narrow.to(at::kFloat);
  auto bytes = at::empty({columns}, at::kByte), bytes_of_narrow = at::empty_like(bytes);
  const auto result =
      vit::simd::quantize(x.const_data_ptr<float>(), columns, bytes.mutable_data_ptr<uint8_t>());
  const auto result_of_narrow =
      vit::simd::quantize(bf16(narrow), columns, bytes_of_narrow.mutable_data_ptr<uint8_t>());
  CHECK(test::same(bytes, bytes_of_narrow));
  CHECK(result.scale == result_of_narrow.scale);
  CHECK(result.zero == result_of_narrow.zero);
  CHECK(result.zero == std::floor(result.zero));
  const auto restored = (bytes.to(at::kFloat) - result.zero) * result.scale;
  CHECK(test::max_difference(restored, x) <= 0.502 * result.scale);
  // The whole byte is used: the range, with zero, is 254.99 steps.
  const auto range = std::max(x.max().item<float>(), 0.0f) - std::min(x.min().item<float>(), 0.0f);
  CHECK(result.scale == Approx(range / 254.99).margin(1e-37));
}

TEST_CASE("numbers become bfloat16 as LibTorch rounds them") {
  const auto target = GENERATE(from_range(test::SimdTarget::all()));
  const test::SimdTarget simd_target(target);
  CAPTURE(target);
  const auto x = at::cat({random({1000}, 1) * 1e4, random({37}, 2) * 1e-30, at::zeros({2})});
  auto narrow = at::empty({x.size(0)}, at::kBFloat16);
  vit::simd::to_bf16(x.const_data_ptr<float>(), x.size(0), bf16(narrow));
  CHECK(test::same(narrow, x.to(at::kBFloat16)));
  auto back = at::empty({x.size(0)});
  vit::simd::to_float(bf16(static_cast<const at::Tensor&>(narrow)), x.size(0),
                      back.mutable_data_ptr<float>());
  CHECK(test::same(back, narrow.to(at::kFloat)));
}
