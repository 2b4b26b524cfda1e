#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <data/dataset.h>
#include <vit/error.h>

namespace test {

/// Made-up pictures of 16x16 pixels: noise, brighter in the channel of their class (0, 1 or 2).
class Pictures : public data::Dataset {
 public:
  explicit Pictures(int64_t count, std::set<int64_t> unreadable = {})
      : Dataset(entries_of(count), {"red", "green", "blue"}, /*multi_label=*/false),
        unreadable_(std::move(unreadable)) {}

  at::Tensor read(int64_t index) const override {
    if (unreadable_.contains(index)) vit::fail(entry(index).name, ": is damaged");
    auto generator = at::make_generator<at::CPUGeneratorImpl>(static_cast<uint64_t>(index));
    at::Tensor rgb = at::randint(0, 128, {16, 16, 3}, generator, at::kByte);
    rgb.select(2, entry(index).classes.front()).add_(100);
    return rgb;
  }

 private:
  static std::vector<data::Entry> entries_of(int64_t count) {
    std::vector<data::Entry> entries;
    for (int64_t i = 0; i < count; ++i)
      entries.push_back({"picture " + std::to_string(i), {i % 3}});
    return entries;
  }

  std::set<int64_t> unreadable_;
};

}  // namespace test
