#include "tests/support/check_same.h"

#include "tests/support/catch.h"

#include <cstring>

#include <ATen/ATen.h>

namespace test {
namespace {

bool same_bits(const at::Tensor& a, const at::Tensor& b) {
  if (a.scalar_type() != b.scalar_type() || a.sizes() != b.sizes()) return false;
  const auto x = a.contiguous(), y = b.contiguous();
  return x.nbytes() == 0 ||
         std::memcmp(x.const_data_ptr(), y.const_data_ptr(), static_cast<size_t>(x.nbytes())) == 0;
}

}  // namespace

void check_same(const vit::StateDict& got, const vit::StateDict& expected) {
  CHECK(got.size() == expected.size());
  for (const auto& [name, tensor] : expected) {
    INFO("tensor " << name);
    const auto found = got.find(name);
    REQUIRE(found != got.end());
    CHECK(same_bits(found->second, tensor));
  }
}

}  // namespace test
