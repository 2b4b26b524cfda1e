#pragma once

#include <cstdint>

#include <ATen/Parallel.h>

#include <vit/kernels/product.h>

namespace vit::kernels {

/// Ends a thread's products, also where an exception ends them.
struct EndOfProducts {
  ~EndOfProducts() { end_of_products(); }
};

/// Runs work(0) … work(count - 1), which multiply, on that many threads and waits for them.
template <typename F>
void on_threads(int64_t count, const F& work) {
  if (count == 1) {
    const EndOfProducts end;
    work(int64_t{0});
    return;
  }
  at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
    const EndOfProducts end_of_these;
    for (int64_t i = begin; i < end; ++i) work(i);
  });
}

}  // namespace vit::kernels
