#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include <c10/core/ScalarType.h>

#include <vit/weights/mapped_file.h>
#include <vit/weights/state_dict.h>

namespace vit {

/// Names of the element types of the safetensors format that LibTorch has too.
struct SafetensorsDtype {
  const char* name;
  at::ScalarType type;
};

constexpr std::array<SafetensorsDtype, 19> kSafetensorsDtypes{{
    {"F64", at::kDouble},
    {"F32", at::kFloat},
    {"F16", at::kHalf},
    {"BF16", at::kBFloat16},
    {"F8_E4M3", at::kFloat8_e4m3fn},
    {"F8_E5M2", at::kFloat8_e5m2},
    {"F8_E4M3FNUZ", at::kFloat8_e4m3fnuz},
    {"F8_E5M2FNUZ", at::kFloat8_e5m2fnuz},
    {"F8_E8M0", at::kFloat8_e8m0fnu},
    {"C64", at::kComplexFloat},
    {"I64", at::kLong},
    {"I32", at::kInt},
    {"I16", at::kShort},
    {"I8", at::kChar},
    {"U64", at::kUInt64},
    {"U32", at::kUInt32},
    {"U16", at::kUInt16},
    {"U8", at::kByte},
    {"BOOL", at::kBool},
}};

/// Those of less than a byte, which are read but not written: `type` holds their bytes.
struct PackedSafetensorsDtype {
  const char* name;
  at::ScalarType type;
  int64_t bits;
};

constexpr std::array<PackedSafetensorsDtype, 3> kPackedSafetensorsDtypes{{
    {"F4", at::kFloat4_e2m1fn_x2, 4},  // of two numbers, in the last dim
    {"F6_E2M3", at::kBits8, 6},
    {"F6_E3M2", at::kBits8, 6},
}};

constexpr int64_t kSafetensorsMaxHeader = 100'000'000;  // bytes, the format's own limit
constexpr const char* kSafetensorsMetadata = "__metadata__";

/// read_safetensors() for a file that is open already.
StateDict read_safetensors(const std::shared_ptr<MappedFile>& file);

}  // namespace vit
