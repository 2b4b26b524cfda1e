#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include <data/dataset.h>

namespace data {

/// Pictures that go through a model together.
struct Batch {
  at::Tensor pixels;                 ///< [n, 3, H, W] float32; undefined if nothing could be read
                                     ///< or where the pictures differ in size
  std::vector<at::Tensor> pictures;  ///< where they do: n times [3, H, W]
  std::vector<int64_t> entries;      ///< n indices into the data set, in the order asked for
  std::vector<int64_t> unreadable;   ///< those that could not be read, in the same order
  std::vector<std::string> errors;   ///< and for each of these why, naming it
};

/// What makes a model's input, float32 [3, H, W], of entry `index` (whose picture is `rgb`, uint8
/// [height, width, 3]). Called by many threads at once.
using Transform = std::function<at::Tensor(const at::Tensor& rgb, int64_t index)>;

struct BatchOptions {
  int64_t batch = 32;
  int64_t workers = 2;   ///< threads that read pictures
  int64_t prefetch = 4;  ///< batches that are under way or wait to be taken
};

/// Reads and transforms pictures on threads of its own, ahead of the one who takes the batches.
/// Batch k is made of entries order[k * batch] … order[(k + 1) * batch - 1], whatever the number of
/// workers; those that cannot be read are missing in it.
class BatchStream {
 public:
  /// `dataset` must live as long as the stream.
  BatchStream(const Dataset& dataset, std::vector<int64_t> order, Transform transform,
              BatchOptions options);
  ~BatchStream();  ///< at any time
  BatchStream(const BatchStream&) = delete;
  BatchStream& operator=(const BatchStream&) = delete;

  /// Waits for the next batch; nothing after the last one. For one thread at a time.
  std::optional<Batch> next();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace data
