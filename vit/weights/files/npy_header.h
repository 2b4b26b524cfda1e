#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <c10/core/ScalarType.h>

namespace vit {

/// What stands at the beginning of an array in NumPy's .npy format.
struct NpyHeader {
  at::ScalarType dtype = at::kFloat;
  bool big_endian = false;
  bool fortran_order = false;
  std::vector<int64_t> shape;
};

/// Parses the text of a header, "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }".
/// Throws Error that begins with `where`.
NpyHeader parse_npy_header(std::string_view text, const std::string& where);

}  // namespace vit
