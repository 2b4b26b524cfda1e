#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/data.h"

#include <string>
#include <vector>

#include <ATen/ATen.h>

#include <media/image.h>
#include <media/loader.h>
#include <media/preprocess.h>
#include <vit/error.h>

namespace {

vit::PicturePreprocessing small_input() {
  vit::PicturePreprocessing how;
  how.input_size = {24, 32};
  return how;
}

/// `count` sources: two good pictures, a broken one and a missing one in turn.
std::vector<media::Source> mixed(size_t count) {
  const std::vector<media::Source> kinds = {
      {test::data("media/image/small_cat.jpg"), ""},
      {test::data("media/image/malformed/truncated.png"), ""},
      {test::data("media/kinds/exif6.png"), ""},
      {"none.jpg", "none.jpg: no such file or folder"},
  };
  std::vector<media::Source> sources;
  for (size_t i = 0; i < count; ++i) sources.push_back(kinds[i % kinds.size()]);
  return sources;
}

}  // namespace

TEST_CASE("Pictures come in their order, whatever the number of threads") {
  const auto sources = mixed(403);
  const auto how = small_input();
  const at::Tensor cat = media::preprocess(media::read_image(sources[0].path), how);
  const at::Tensor turned = media::preprocess(media::read_image(sources[2].path), how);
  for (const media::ImageLoader::Options options :
       {media::ImageLoader::Options{1, 1}, {4, 1}, {1, 5}, {4, 7}, {8, 64}, {3, 1000}, {0, 0}}) {
    INFO(options.workers << " threads, " << options.prefetch << " ahead");
    media::ImageLoader loader(sources, how, options);
    size_t count = 0;
    while (const auto image = loader.next()) {
      CHECK(image->path == sources[count].path);
      switch (count++ % 4) {
        case 0:
          CHECK(test::same(image->pixels, cat));
          break;
        case 2:
          CHECK(test::same(image->pixels, turned));
          break;
        case 1:
          CHECK_FALSE(image->pixels.defined());
          CHECK_THAT(image->error, Catch::ContainsSubstring("truncated.png: cannot read"));
          break;
        default:
          CHECK_FALSE(image->pixels.defined());
          CHECK(image->error == "none.jpg: no such file or folder");
      }
    }
    CHECK(count == sources.size());
    CHECK_FALSE(loader.next().has_value());
  }
}

TEST_CASE("A loader ends early without reading the rest") {
  const auto sources = mixed(5000);
  for (size_t taken : {0, 1, 20}) {
    media::ImageLoader loader(sources, small_input(), {4, 8});
    for (size_t i = 0; i < taken; ++i) CHECK(loader.next().has_value());
  }
}

TEST_CASE("A loader of nothing gives nothing") {
  media::ImageLoader loader({}, small_input());
  CHECK_FALSE(loader.next().has_value());
}

TEST_CASE("A loader checks the preprocessing at once") {
  auto how = small_input();
  how.std = {1, 0, 1};
  CHECK_THROWS_AS(media::ImageLoader(mixed(4), how), vit::Error);
}
