#include <array>
#include <utility>

#include <vit/weights/files/torch_globals.h>

namespace vit {
namespace {

using Kind = TorchGlobal::Kind;
using Name = std::pair<std::string_view, std::string_view>;

struct Known {
  std::string_view module;
  std::string_view name;
  Kind kind;
};

// Python 2 called the module of the built-in names differently, numpy 1 its core.
constexpr Known kKnown[] = {
    {"collections", "OrderedDict", Kind::dict},
    {"collections", "defaultdict", Kind::dict},
    {"collections", "Counter", Kind::dict},
    {"builtins", "dict", Kind::dict},
    {"__builtin__", "dict", Kind::dict},
    {"torch", "Size", Kind::size},
    {"torch._utils", "_rebuild_tensor", Kind::rebuild_tensor},
    {"torch._utils", "_rebuild_tensor_v2", Kind::rebuild_tensor},
    {"torch._utils", "_rebuild_tensor_v3", Kind::rebuild_tensor_v3},
    {"torch._utils", "_rebuild_parameter", Kind::rebuild_parameter},
    {"torch._utils", "_rebuild_parameter_with_state", Kind::rebuild_parameter},
    {"torch._utils", "_rebuild_qtensor", Kind::rebuild_other},
    {"torch._utils", "_rebuild_sparse_tensor", Kind::rebuild_other},
    {"torch._utils", "_rebuild_sparse_csr_tensor", Kind::rebuild_other},
    {"torch._utils", "_rebuild_nested_tensor", Kind::rebuild_other},
    {"torch._utils", "_rebuild_meta_tensor_no_storage", Kind::rebuild_other},
    {"torch", "UntypedStorage", Kind::untyped_storage},
    {"torch.storage", "UntypedStorage", Kind::untyped_storage},

    // Metadata. None of these is ever called.
    {"torch", "device", Kind::harmless},
    {"torch", "per_tensor_affine", Kind::harmless},
    {"torch", "per_channel_affine", Kind::harmless},
    {"torch", "per_channel_affine_float_qparams", Kind::harmless},
    {"torch.serialization", "_get_layout", Kind::harmless},
    {"torch.jit._pickle", "build_intlist", Kind::harmless},
    {"torch.jit._pickle", "build_doublelist", Kind::harmless},
    {"torch.jit._pickle", "build_boollist", Kind::harmless},
    {"torch.jit._pickle", "build_tensorlist", Kind::harmless},
    {"torch.jit._pickle", "restore_type_tag", Kind::harmless},
    {"argparse", "Namespace", Kind::harmless},
    {"types", "SimpleNamespace", Kind::harmless},
    {"copyreg", "_reconstructor", Kind::harmless},
    {"copy_reg", "_reconstructor", Kind::harmless},
    {"_codecs", "encode", Kind::harmless},
    {"builtins", "object", Kind::harmless},
    {"builtins", "set", Kind::harmless},
    {"builtins", "frozenset", Kind::harmless},
    {"builtins", "bytes", Kind::harmless},
    {"builtins", "bytearray", Kind::harmless},
    {"builtins", "complex", Kind::harmless},
    {"builtins", "int", Kind::harmless},
    {"builtins", "float", Kind::harmless},
    {"builtins", "bool", Kind::harmless},
    {"builtins", "str", Kind::harmless},
    {"builtins", "list", Kind::harmless},
    {"builtins", "tuple", Kind::harmless},
    {"builtins", "slice", Kind::harmless},
    {"builtins", "range", Kind::harmless},
    {"__builtin__", "object", Kind::harmless},
    {"__builtin__", "set", Kind::harmless},
    {"__builtin__", "frozenset", Kind::harmless},
    {"__builtin__", "bytes", Kind::harmless},
    {"__builtin__", "bytearray", Kind::harmless},
    {"__builtin__", "complex", Kind::harmless},
    {"__builtin__", "int", Kind::harmless},
    {"__builtin__", "long", Kind::harmless},
    {"__builtin__", "float", Kind::harmless},
    {"__builtin__", "bool", Kind::harmless},
    {"__builtin__", "str", Kind::harmless},
    {"__builtin__", "unicode", Kind::harmless},
    {"__builtin__", "list", Kind::harmless},
    {"__builtin__", "tuple", Kind::harmless},
    {"__builtin__", "slice", Kind::harmless},
    {"__builtin__", "xrange", Kind::harmless},
    {"datetime", "date", Kind::harmless},
    {"datetime", "datetime", Kind::harmless},
    {"datetime", "time", Kind::harmless},
    {"datetime", "timedelta", Kind::harmless},
    {"datetime", "timezone", Kind::harmless},
    {"pathlib", "Path", Kind::harmless},
    {"pathlib", "PosixPath", Kind::harmless},
    {"pathlib", "WindowsPath", Kind::harmless},
    {"pathlib", "PurePosixPath", Kind::harmless},
    {"pathlib", "PureWindowsPath", Kind::harmless},
    {"numpy", "dtype", Kind::harmless},
    {"numpy", "ndarray", Kind::harmless},
    {"numpy.core.multiarray", "scalar", Kind::harmless},
    {"numpy.core.multiarray", "_reconstruct", Kind::harmless},
    {"numpy._core.multiarray", "scalar", Kind::harmless},
    {"numpy._core.multiarray", "_reconstruct", Kind::harmless},
};

struct KnownDtype {
  std::string_view name;
  at::ScalarType dtype;
};

constexpr KnownDtype kStorageTypes[] = {
    {"DoubleStorage", at::kDouble},
    {"FloatStorage", at::kFloat},
    {"HalfStorage", at::kHalf},
    {"BFloat16Storage", at::kBFloat16},
    {"LongStorage", at::kLong},
    {"IntStorage", at::kInt},
    {"ShortStorage", at::kShort},
    {"CharStorage", at::kChar},
    {"ByteStorage", at::kByte},
    {"BoolStorage", at::kBool},
    {"ComplexFloatStorage", at::kComplexFloat},
    {"ComplexDoubleStorage", at::kComplexDouble},
    {"QInt8Storage", at::kQInt8},
    {"QUInt8Storage", at::kQUInt8},
    {"QInt32Storage", at::kQInt32},
    {"QUInt4x2Storage", at::kQUInt4x2},
    {"QUInt2x4Storage", at::kQUInt2x4},
};

constexpr KnownDtype kDtypes[] = {
    {"float64", at::kDouble},
    {"double", at::kDouble},
    {"float32", at::kFloat},
    {"float", at::kFloat},
    {"float16", at::kHalf},
    {"half", at::kHalf},
    {"bfloat16", at::kBFloat16},
    {"float8_e4m3fn", at::kFloat8_e4m3fn},
    {"float8_e5m2", at::kFloat8_e5m2},
    {"float8_e4m3fnuz", at::kFloat8_e4m3fnuz},
    {"float8_e5m2fnuz", at::kFloat8_e5m2fnuz},
    {"float8_e8m0fnu", at::kFloat8_e8m0fnu},
    {"float4_e2m1fn_x2", at::kFloat4_e2m1fn_x2},
    {"complex32", at::kComplexHalf},
    {"bits8", at::kBits8},
    {"bits16", at::kBits16},
    {"bits1x8", at::kBits1x8},
    {"bits2x4", at::kBits2x4},
    {"bits4x2", at::kBits4x2},
    {"int64", at::kLong},
    {"long", at::kLong},
    {"int32", at::kInt},
    {"int", at::kInt},
    {"int16", at::kShort},
    {"short", at::kShort},
    {"int8", at::kChar},
    {"uint64", at::kUInt64},
    {"uint32", at::kUInt32},
    {"uint16", at::kUInt16},
    {"uint8", at::kByte},
    {"bool", at::kBool},
    {"complex64", at::kComplexFloat},
    {"complex128", at::kComplexDouble},
};

}  // namespace

std::optional<TorchGlobal> find_torch_global(std::string_view module, std::string_view name) {
  for (const auto& known : kKnown)
    if (known.module == module && known.name == name) return TorchGlobal{.kind = known.kind};
  // Classes of C++, such as packed weights of quantised layers, are no modules.
  if ((module == "__torch__" || module.starts_with("__torch__.")) &&
      !module.starts_with("__torch__.torch.classes"))
    return TorchGlobal{.kind = Kind::script_module};
  if (module == "torch" || module == "torch.cuda")
    for (const auto& [storage, dtype] : kStorageTypes)
      if (storage == name) return TorchGlobal{.kind = Kind::storage_type, .dtype = dtype};
  if (module == "torch")
    for (const auto& [dtype_name, dtype] : kDtypes)
      if (dtype_name == name) return TorchGlobal{.kind = Kind::dtype, .dtype = dtype};
  return std::nullopt;
}

}  // namespace vit
