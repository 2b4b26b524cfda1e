#include <ATen/ops/cat.h>

#include <distributed/buckets.h>

namespace distributed {

std::vector<Bucket> make_buckets(const std::vector<at::Tensor>& tensors, int64_t most_bytes) {
  struct Open {
    at::ScalarType dtype;
    c10::Device device;
    int64_t bytes;
    std::size_t bucket;
  };
  std::vector<Bucket> buckets;
  std::vector<Open> open;  // the bucket that is being filled, for each dtype and device
  for (const at::Tensor& tensor : tensors) {
    if (tensor.numel() == 0) continue;
    const auto bytes = static_cast<int64_t>(tensor.nbytes());
    auto place = std::find_if(open.begin(), open.end(), [&](const Open& candidate) {
      return candidate.dtype == tensor.scalar_type() && candidate.device == tensor.device();
    });
    if (place == open.end()) {
      open.push_back({tensor.scalar_type(), tensor.device(), 0, buckets.size()});
      place = open.end() - 1;
      buckets.emplace_back();
    } else if (place->bytes + bytes > most_bytes) {
      place->bytes = 0;
      place->bucket = buckets.size();
      buckets.emplace_back();
    }
    place->bytes += bytes;
    buckets[place->bucket].push_back(tensor);
  }
  return buckets;
}

at::Tensor flatten(const Bucket& bucket) {
  if (bucket.size() == 1) return bucket.front().reshape(-1);
  std::vector<at::Tensor> flat;
  flat.reserve(bucket.size());
  for (const at::Tensor& tensor : bucket) flat.push_back(tensor.reshape(-1));
  return at::cat(flat);
}

void unflatten(const at::Tensor& flat, const Bucket& bucket) {
  int64_t offset = 0;
  for (const at::Tensor& tensor : bucket) {
    const at::Tensor part = flat.narrow(0, offset, tensor.numel()).view(tensor.sizes());
    offset += tensor.numel();
    if (part.data_ptr() != tensor.data_ptr()) tensor.copy_(part);
  }
}

}  // namespace distributed
