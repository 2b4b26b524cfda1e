#pragma once

#include <ATen/core/Tensor.h>

namespace test {

/// Largest absolute difference; infinity where shapes differ or a value is NaN in one only.
double max_difference(const at::Tensor& a, const at::Tensor& b);

/// Same shape and same values, whatever the dtypes.
bool same(const at::Tensor& a, const at::Tensor& b);

}  // namespace test
