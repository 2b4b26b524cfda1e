#include "data/batches.h"

#include <algorithm>
#include <utility>

#include <ATen/ops/stack.h>

#include <media/failure.h>
#include <media/read_ahead.h>

namespace data {
namespace {

struct Item {
  at::Tensor pixels;  // undefined where there is an error
  std::string error;
};

}  // namespace

struct BatchStream::Impl {
  Impl(const Dataset& dataset, std::vector<int64_t> order, Transform transform,
       BatchOptions options)
      : dataset_(dataset),
        order_(std::move(order)),
        transform_(std::move(transform)),
        batch_(std::max<int64_t>(1, options.batch)),
        items_(
            order_.size(), [this](std::size_t i) { return make(order_[i]); },
            static_cast<std::size_t>(std::max<int64_t>(1, options.workers)),
            static_cast<std::size_t>(batch_ * std::max<int64_t>(1, options.prefetch))) {}

  Item make(int64_t entry) const {
    try {
      return {transform_(dataset_.read(entry), entry), ""};
    } catch (...) {
      return {{}, media::failure_text(dataset_.entry(entry).name)};
    }
  }

  std::optional<Batch> next() {
    Batch batch;
    std::vector<at::Tensor> pixels;
    int64_t count = 0;
    for (; count < batch_; ++count) {
      std::optional<Item> item = items_.next();
      if (!item) break;
      const int64_t entry = order_[taken_++];
      if (item->error.empty()) {
        batch.entries.push_back(entry);
        pixels.push_back(std::move(item->pixels));
      } else {
        batch.unreadable.push_back(entry);
        batch.errors.push_back(std::move(item->error));
      }
    }
    if (count == 0) return std::nullopt;
    const bool alike = std::all_of(pixels.begin(), pixels.end(), [&](const at::Tensor& picture) {
      return picture.sizes() == pixels.front().sizes();
    });
    if (!alike)
      batch.pictures = std::move(pixels);
    else if (!pixels.empty())
      batch.pixels = at::stack(pixels);
    return batch;
  }

  const Dataset& dataset_;
  const std::vector<int64_t> order_;
  const Transform transform_;
  const int64_t batch_;
  std::size_t taken_ = 0;
  media::ReadAhead<Item> items_;  // the last member: its threads use the others
};

BatchStream::BatchStream(const Dataset& dataset, std::vector<int64_t> order, Transform transform,
                         BatchOptions options)
    : impl_(std::make_unique<Impl>(dataset, std::move(order), std::move(transform), options)) {}

BatchStream::~BatchStream() = default;

std::optional<Batch> BatchStream::next() { return impl_->next(); }

}  // namespace data
