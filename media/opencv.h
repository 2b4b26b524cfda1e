#pragma once

#include <opencv2/core.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <c10/util/Exception.h>

#include <vit/error.h>

// Pictures from and for OpenCV, which nothing else here needs: link vitome::opencv.
namespace media {

/// A picture of OpenCV as uint8 [height, width, 3], RGB, contiguous and a copy, the way
/// read_image() gives it: CV_8UC3 is taken for BGR; CV_8UC4 for BGRA, whose alpha is dropped
/// without blending; CV_8UC1 for gray, which is repeated. Regions of a larger picture are as good.
///
/// Throws vit::Error for a picture that is empty or has other samples or channels.
inline at::Tensor from_mat(const cv::Mat& picture) {
  if (picture.empty())
    vit::fail("media::from_mat: the cv::Mat is empty, expected a picture; cv::imread() and ",
              "cv::VideoCapture leave it empty where there is nothing to read");
  if (picture.dims != 2)
    vit::fail("media::from_mat: got a cv::Mat of ", picture.dims,
              " dimensions, expected rows and columns; take one picture of it");
  const int channels = picture.channels();
  if (picture.depth() != CV_8U)
    vit::fail("media::from_mat: got a cv::Mat of ", cv::typeToString(picture.type()),
              ", expected 8-bit samples (CV_8UC1, CV_8UC3 or CV_8UC4); convert it with ",
              "convertTo(mat, CV_8U, scale), where scale is 1 / 257. for 16-bit samples and 255 ",
              "for floating ones from 0 to 1");
  if (channels != 1 && channels != 3 && channels != 4)
    vit::fail("media::from_mat: got a cv::Mat of ", cv::typeToString(picture.type()),
              ", expected 1 channel (gray), 3 (BGR) or 4 (BGRA); pick them with ",
              "cv::extractChannel() or cv::mixChannels()");

  at::Tensor rgb = at::empty({picture.rows, picture.cols, 3}, at::kByte);
  cv::Mat pixels(picture.rows, picture.cols, CV_8UC3, rgb.mutable_data_ptr());
  constexpr int kRepeat[] = {0, 0, 0, 1, 0, 2}, kReverse[] = {2, 0, 1, 1, 0, 2};  // from, to
  cv::mixChannels(&picture, 1, &pixels, 1, channels == 1 ? kRepeat : kReverse, 3);
  return rgb;
}

/// uint8 [height, width, 3], RGB, on the CPU and with pixels, as CV_8UC3, BGR: a copy to draw on,
/// to show or to write. Throws c10::Error for other tensors.
inline cv::Mat to_mat(const at::Tensor& rgb) {
  TORCH_CHECK(rgb.dim() == 3 && rgb.size(2) == 3 && rgb.scalar_type() == at::kByte &&
                  rgb.numel() > 0 && rgb.device().is_cpu(),
              "media::to_mat: expected a uint8 CPU tensor [height, width, 3] with pixels, got ",
              rgb.toString(), " of shape ", rgb.sizes());
  const at::Tensor source = rgb.contiguous();
  const int height = static_cast<int>(source.size(0)), width = static_cast<int>(source.size(1));
  // OpenCV has no word for pixels that are only read.
  const cv::Mat pixels(height, width, CV_8UC3, const_cast<void*>(source.const_data_ptr()));
  cv::Mat bgr(height, width, CV_8UC3);
  constexpr int kReverse[] = {2, 0, 1, 1, 0, 2};  // from, to
  cv::mixChannels(&pixels, 1, &bgr, 1, kReverse, 3);
  return bgr;
}

}  // namespace media
