#include <cstring>
#include <sys/mman.h>
#include <unistd.h>

#include <ATen/ATen.h>

#include <vit/weights/files/mapped_tensor.h>

namespace vit {
namespace {

// Nobody looks at these bytes any more: their pages count as this process's memory no longer, and
// stay in the system's cache of the file.
void forget(uint8_t* bytes, size_t count) {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(bytes) + page - 1) / page * page;
  const uintptr_t end = (reinterpret_cast<uintptr_t>(bytes) + count) / page * page;
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

}  // namespace

at::Tensor tensor_in(const std::shared_ptr<base::MappedFile>& file, size_t offset,
                     at::IntArrayRef shape, at::ScalarType dtype) {
  if (c10::multiply_integers(shape) == 0) return at::empty(shape, dtype);
  uint8_t* bytes = file->data() + offset;
  if (reinterpret_cast<uintptr_t>(bytes) % c10::elementSize(dtype) == 0)
    return at::from_blob(
        bytes, shape,
        [keep = file, bytes,
         count = static_cast<size_t>(c10::multiply_integers(shape)) *
                 c10::elementSize(dtype)](void*) { forget(bytes, count); },
        dtype);
  auto copy = at::empty(shape, dtype);
  std::memcpy(copy.mutable_data_ptr(), bytes, copy.nbytes());
  return copy;
}

}  // namespace vit
