// Another decoder, cv::imread, on the same files: what read_image() gives is what comes of it, too.

#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/data.h"

#include <opencv2/imgcodecs.hpp>
#include <string>

#include <media/image.h>
#include <media/opencv.h>
#include <vit/error.h>

namespace {

std::string picture(const std::string& name) { return test::data("media/image/" + name).string(); }

}  // namespace

TEST_CASE("What cv::imread reads is what read_image reads") {
  const auto [name, type] = GENERATE(table<std::string, int>(
      {{"rgb.png", CV_8UC3}, {"rgba.png", CV_8UC4}, {"odd.bmp", CV_8UC3}, {"gray.jpg", CV_8UC1}}));
  INFO(name);
  const cv::Mat read = cv::imread(picture(name), cv::IMREAD_UNCHANGED);
  REQUIRE(read.type() == type);
  CHECK(test::same(media::from_mat(read), media::read_image(picture(name))));
}

TEST_CASE("A 16-bit picture that cv::imread reads is refused until it is converted") {
  const cv::Mat read = cv::imread(picture("rgb16.png"), cv::IMREAD_UNCHANGED);
  REQUIRE(read.type() == CV_16UC3);
  CHECK_THROWS_AS(media::from_mat(read), vit::Error);
  cv::Mat converted;
  read.convertTo(converted, CV_8U, 1 / 257.);
  // Which rounds, where read_image() takes the high byte.
  CHECK(test::max_difference(media::from_mat(converted), media::read_image(picture("rgb16.png"))) <=
        1.0);
}
