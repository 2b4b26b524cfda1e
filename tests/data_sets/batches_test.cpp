#include "tests/data_sets/files.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

#include <stdexcept>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include <data/batches.h>
#include <data/dataset.h>

namespace {

using Indices = std::vector<int64_t>;

constexpr int64_t kPictures = 23;

// Picture i has the colour (i, i, i); every seventh is damaged.
std::unique_ptr<data::Dataset> numbered(const test::TempDir& temp) {
  std::string list;
  for (int64_t i = 0; i < kPictures; ++i) {
    const auto value = static_cast<uint8_t>(i);
    const std::string name = std::to_string(i) + ".ppm";
    const std::string picture = test::pixel({value, value, value});
    test::write_file(temp / name, i % 7 == 6 ? picture.substr(0, picture.size() - 1) : picture);
    list += name + "," + (i % 2 ? "odd" : "even") + "\n";
  }
  test::write_file(temp / "list.csv", list);
  return data::open_dataset((temp / "list.csv").string());
}

at::Tensor to_float(const at::Tensor& rgb, int64_t) {
  return rgb.permute({2, 0, 1}).to(at::kFloat);
}

}  // namespace

TEST_CASE("Batches are the same for any number of workers, without what cannot be read") {
  const test::TempDir temp;
  const auto dataset = numbered(temp);
  Indices order;
  for (int64_t i = kPictures - 1; i >= 0; --i) order.push_back(i);
  order.insert(order.end(), {3, 3, 6});
  for (const data::BatchOptions options :
       {data::BatchOptions{4, 1, 1}, {4, 3, 2}, {4, 16, 100}, {4, 0, 0}}) {
    data::BatchStream stream(*dataset, order, to_float, options);
    std::size_t begin = 0;
    while (const auto batch = stream.next()) {
      Indices readable;
      std::size_t errors = 0;
      for (std::size_t i = begin; i < std::min(begin + 4, order.size()); ++i)
        if (order[i] % 7 == 6)
          ++errors;
        else
          readable.push_back(order[i]);
      begin += 4;
      CHECK(batch->entries == readable);
      REQUIRE(batch->errors.size() == errors);
      REQUIRE(batch->unreadable.size() == errors);
      for (const int64_t entry : batch->unreadable) CHECK(entry % 7 == 6);
      if (errors > 0) CHECK_THAT(batch->errors[0], Catch::ContainsSubstring(".ppm: "));
      REQUIRE(batch->pixels.defined() == !readable.empty());
      if (readable.empty()) continue;
      CHECK(batch->pixels.sizes() == Indices{static_cast<int64_t>(readable.size()), 3, 1, 1});
      const at::Tensor values = batch->pixels.select(1, 0).flatten().to(at::kLong);
      CHECK(Indices(values.const_data_ptr<int64_t>(),
                    values.const_data_ptr<int64_t>() + values.numel()) == readable);
    }
    CHECK(begin == 28);  // 26 pictures in batches of 4
    CHECK_FALSE(stream.next().has_value());
  }
}

TEST_CASE("A batch of unreadable pictures has no pixels") {
  const test::TempDir temp;
  const auto dataset = numbered(temp);
  data::BatchStream stream(*dataset, {6, 13}, to_float, {2, 2, 1});
  const auto batch = stream.next();
  REQUIRE(batch.has_value());
  CHECK_FALSE(batch->pixels.defined());
  CHECK(batch->errors.size() == 2);
}

TEST_CASE("What a transform throws is an error of its picture") {
  const test::TempDir temp;
  const auto dataset = numbered(temp);
  const auto transform = [](const at::Tensor& rgb, int64_t index) {
    if (index == 1) throw std::runtime_error("too odd");
    return to_float(rgb, index);
  };
  data::BatchStream stream(*dataset, {0, 1, 2}, transform, {3, 2, 1});
  const auto batch = stream.next();
  REQUIRE(batch.has_value());
  CHECK(batch->entries == Indices{0, 2});
  REQUIRE(batch->errors.size() == 1);
  CHECK_THAT(batch->errors[0], Catch::EndsWith("1.ppm: too odd"));
}

TEST_CASE("A stream of batches ends early, and one of nothing at once") {
  const test::TempDir temp;
  const auto dataset = numbered(temp);
  Indices order(10000, 0);
  for (int taken : {0, 1, 3}) {
    data::BatchStream stream(*dataset, order, to_float, {8, 3, 2});
    for (int i = 0; i < taken; ++i) CHECK(stream.next().has_value());
  }
  data::BatchStream nothing(*dataset, {}, to_float, {});
  CHECK_FALSE(nothing.next().has_value());
}

TEST_CASE("Pictures of different sizes are handed out one by one") {
  const test::TempDir temp;
  const auto dataset = numbered(temp);
  const auto grown = [](const at::Tensor& rgb, int64_t index) {
    return to_float(rgb, index).expand({3, 1 + index / 2, 2}).contiguous();
  };
  data::BatchStream stream(*dataset, {0, 1, 2, 3, 6}, grown, {2, 2, 1});
  auto batch = stream.next();
  REQUIRE(batch.has_value());
  CHECK(batch->pixels.sizes() == Indices{2, 3, 1, 2});
  CHECK(batch->pictures.empty());
  batch = stream.next();
  REQUIRE(batch.has_value());
  CHECK(batch->pixels.sizes() == Indices{2, 3, 2, 2});
  data::BatchStream mixed(*dataset, {1, 6, 2}, grown, {3, 2, 1});
  batch = mixed.next();
  REQUIRE(batch.has_value());
  CHECK_FALSE(batch->pixels.defined());
  CHECK(batch->entries == Indices{1, 2});
  REQUIRE(batch->pictures.size() == 2);
  CHECK(batch->pictures[0].sizes() == Indices{3, 1, 2});
  CHECK(batch->pictures[1].sizes() == Indices{3, 2, 2});
}
