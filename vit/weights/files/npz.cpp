#include <algorithm>
#include <cstring>

#include <ATen/ATen.h>

#include <vit/error.h>
#include <vit/weights/files/bytes.h>
#include <vit/weights/files/npy_header.h>
#include <vit/weights/files/npz.h>
#include <vit/weights/shape.h>
#include <vit/weights/text.h>

namespace vit {
namespace {

constexpr std::string_view kArraySuffix = ".npy";

/// Numbers whose bytes stand in the other order, put right in a copy.
at::Tensor swapped(const at::Tensor& tensor) {
  const bool is_complex = c10::isComplexType(tensor.scalar_type());
  const auto size = static_cast<int64_t>(tensor.element_size()) / (is_complex ? 2 : 1);
  if (size == 1) return tensor;
  auto bytes = at::empty({tensor.numel() * (is_complex ? 2 : 1), size}, at::kByte);
  std::memcpy(bytes.mutable_data_ptr(), tensor.const_data_ptr(), tensor.nbytes());
  bytes = bytes.flip(1).contiguous();
  auto result = at::empty(tensor.sizes(), tensor.scalar_type());
  std::memcpy(result.mutable_data_ptr(), bytes.const_data_ptr(), tensor.nbytes());
  return result;
}

at::Tensor read_array(const ZipArchive& archive, const std::string& name, const ZipEntry& entry) {
  const std::string where = archive.where() + ": the member " + in_quotes(name);
  constexpr std::string_view kMagic = "\x93NUMPY";
  constexpr uint64_t kMaxHeader = 1 << 16;

  ZipStream stream(archive, name, entry);
  char start[8];
  stream.read(start, sizeof(start));
  if (!std::string_view(start, sizeof(start)).starts_with(kMagic))
    fail(where, " is no array: its first bytes are not those of the .npy format");
  const int major = static_cast<unsigned char>(start[6]);
  if (major < 1 || major > 3 || start[7] != 0)
    fail(where, " has the unknown format version ", major, ".", int{start[7]});
  char digits[4] = {};
  const size_t length_size = major == 1 ? 2 : 4;
  stream.read(digits, length_size);
  const uint64_t length = load_number<uint32_t>(digits);
  if (length > std::min(kMaxHeader, stream.remaining()))
    fail(where, ": an array header of ", length, " bytes cannot be right");
  std::string text(length, '\0');
  stream.read(text.data(), text.size());

  auto header = parse_npy_header(text, where);
  const auto bytes = checked_bytes(header.shape, c10::elementSize(header.dtype));
  if (!bytes || static_cast<uint64_t>(*bytes) != stream.remaining())
    fail(where, " has ", stream.remaining(), " bytes of data, which do not fit the shape ",
         shape_text(header.shape), " of its header");

  if (header.fortran_order) std::reverse(header.shape.begin(), header.shape.end());
  const uint64_t skip = sizeof(start) + length_size + length;
  auto tensor = read_zip_tensor(archive, name, entry, skip, header.shape, header.dtype);
  if (header.big_endian && tensor.numel() > 0) tensor = swapped(tensor);
  if (!header.fortran_order) return tensor;
  std::vector<int64_t> reversed(header.shape.size());
  for (size_t i = 0; i < reversed.size(); ++i)
    reversed[i] = static_cast<int64_t>(reversed.size() - 1 - i);
  return tensor.permute(reversed);
}

}  // namespace

bool is_npz(const ZipArchive& archive) {
  if (archive.file()->path().extension() == ".npz") return true;
  return !archive.entries().empty() && std::ranges::all_of(archive.entries(), [](const auto& item) {
    return item.first.ends_with(kArraySuffix);
  });
}

StateDict read_npz(const ZipArchive& archive) {
  StateDict tensors;
  for (const auto& [name, entry] : archive.entries()) {
    if (!name.ends_with(kArraySuffix))
      fail(archive.where(), ": the member ", in_quotes(name), " is no array");
    tensors[name.substr(0, name.size() - kArraySuffix.size())] = read_array(archive, name, entry);
  }
  return tensors;
}

}  // namespace vit
