#include "tests/support/catch.h"
#include "tests/support/compare.h"

#include <string>
#include <vector>

#include <ATen/ATen.h>

#include <media/image.h>
#include <media/opencv.h>
#include <vit/error.h>

namespace {

/// What the bytes of a PPM file say, R, G, B for each pixel.
at::Tensor read_ppm(int width, int height, const std::vector<uint8_t>& rgb) {
  const std::string head = "P6 " + std::to_string(width) + " " + std::to_string(height) + " 255\n";
  std::vector<uint8_t> file(head.begin(), head.end());
  file.insert(file.end(), rgb.begin(), rgb.end());
  return media::decode_image(file, "memory");
}

/// Why a picture is refused.
std::string refusal(const cv::Mat& picture) {
  try {
    media::from_mat(picture);
  } catch (const vit::Error& error) {
    return error.what();
  }
  return "not refused";
}

}  // namespace

TEST_CASE("Pictures of OpenCV become those that read_image gives") {
  const at::Tensor expected = read_ppm(2, 2, {255, 1, 2, 3, 254, 4, 5, 6, 253, 7, 8, 9});
  const cv::Mat bgr = (cv::Mat_<cv::Vec3b>(2, 2) << cv::Vec3b(2, 1, 255), cv::Vec3b(4, 254, 3),
                       cv::Vec3b(253, 6, 5), cv::Vec3b(9, 8, 7));
  const at::Tensor rgb = media::from_mat(bgr);
  CHECK(rgb.is_contiguous());
  CHECK(rgb.scalar_type() == at::kByte);
  CHECK(test::same(rgb, expected));

  SECTION("alpha is dropped without blending") {
    const cv::Mat bgra =
        (cv::Mat_<cv::Vec4b>(2, 2) << cv::Vec4b(2, 1, 255, 0), cv::Vec4b(4, 254, 3, 9),
         cv::Vec4b(253, 6, 5, 128), cv::Vec4b(9, 8, 7, 255));
    CHECK(test::same(media::from_mat(bgra), expected));
  }
  SECTION("gray is repeated") {
    const cv::Mat gray = (cv::Mat_<uint8_t>(1, 3) << 0, 100, 255);
    CHECK(
        test::same(media::from_mat(gray), read_ppm(3, 1, {0, 0, 0, 100, 100, 100, 255, 255, 255})));
  }
  SECTION("it is a copy") {
    cv::Mat drawn_on = bgr.clone();
    const at::Tensor before = media::from_mat(drawn_on);
    drawn_on.setTo(cv::Scalar(0, 0, 0));
    CHECK(test::same(before, expected));
  }
}

TEST_CASE("A region of a picture of OpenCV is only that region") {
  const at::Tensor whole = at::randint(0, 256, {9, 14, 3}, at::kByte);
  const cv::Mat region = media::to_mat(whole)(cv::Rect(3, 2, 5, 4));  // x, y, width, height
  REQUIRE_FALSE(region.isContinuous());
  CHECK(test::same(media::from_mat(region), whole.slice(0, 2, 6).slice(1, 3, 8)));

  const cv::Mat gray(6, 7, CV_8UC1, cv::Scalar(40));
  cv::Mat column = gray.col(4);
  column.setTo(cv::Scalar(90));
  CHECK(test::same(media::from_mat(column), at::full({6, 1, 3}, 90, at::kByte)));
}

TEST_CASE("Pictures go to OpenCV as BGR, and come back as they were") {
  const at::Tensor rgb = at::randint(0, 256, {5, 8, 3}, at::kByte);
  cv::Mat bgr = media::to_mat(rgb);
  REQUIRE(bgr.type() == CV_8UC3);
  REQUIRE(bgr.rows == 5);
  REQUIRE(bgr.cols == 8);
  const auto value = [&](int channel) { return rgb[3][6][channel].item<uint8_t>(); };
  CHECK(bgr.at<cv::Vec3b>(3, 6) == cv::Vec3b(value(2), value(1), value(0)));
  CHECK(test::same(media::from_mat(bgr), rgb));

  const at::Tensor turned = rgb.transpose(0, 1);
  CHECK(test::same(media::from_mat(media::to_mat(turned)), turned));

  const at::Tensor before = rgb.clone();
  bgr.setTo(cv::Scalar(1, 2, 3));
  CHECK(test::same(rgb, before));
}

TEST_CASE("Other pictures of OpenCV are refused: what they are, what is expected, what to do") {
  using Catch::ContainsSubstring;
  CHECK_THAT(refusal({}), ContainsSubstring("media::from_mat: the cv::Mat is empty") &&
                              ContainsSubstring("cv::VideoCapture"));
  for (const int type : {CV_16UC3, CV_32FC1, CV_8SC3, CV_64FC4}) {
    INFO(cv::typeToString(type));
    CHECK_THAT(refusal(cv::Mat(2, 2, type, cv::Scalar(1))),
               ContainsSubstring("got a cv::Mat of " + cv::typeToString(type)) &&
                   ContainsSubstring("expected 8-bit samples") &&
                   ContainsSubstring("convertTo(mat, CV_8U, scale)"));
  }
  CHECK_THAT(refusal(cv::Mat(2, 2, CV_8UC2, cv::Scalar(1))),
             ContainsSubstring("got a cv::Mat of CV_8UC2, expected 1 channel") &&
                 ContainsSubstring("cv::extractChannel()"));
  const int sizes[] = {2, 3, 4};
  CHECK_THAT(refusal(cv::Mat(3, sizes, CV_8UC3, cv::Scalar(1))),
             ContainsSubstring("of 3 dimensions, expected rows and columns"));
}

TEST_CASE("What is no picture does not go to OpenCV") {
  CHECK_THROWS_AS(media::to_mat(at::zeros({2, 3, 3})), c10::Error);
  CHECK_THROWS_AS(media::to_mat(at::zeros({3, 2, 2}, at::kByte)), c10::Error);
  CHECK_THROWS_AS(media::to_mat(at::zeros({2, 3}, at::kByte)), c10::Error);
  CHECK_THROWS_AS(media::to_mat(at::zeros({0, 3, 3}, at::kByte)), c10::Error);
}
