#pragma once

#include <cstdint>

#include <ATen/Parallel.h>

#include <vit/kernels/product.h>

namespace vit::kernels {

/// Runs work(0) … work(count - 1), which multiply, on that many threads and waits for them.
template <typename F>
void on_threads(int64_t count, const F& work) {
  if (count == 1) {
    work(int64_t{0});
    end_of_products();
    return;
  }
  at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) work(i);
    end_of_products();
  });
}

}  // namespace vit::kernels
