// What a camera sees, or what is in a film: a line for each frame. OpenCV reads, ViToMe looks.
//
//   camera models/cifar10-vit 0
//   camera models/cifar10-vit film.avi 100

#include <algorithm>
#include <cctype>
#include <exception>
#include <iostream>
#include <limits>
#include <opencv2/videoio.hpp>
#include <stdexcept>
#include <string>

#include <ATen/ATen.h>

#include <media/opencv.h>
#include <media/preprocess.h>
#include <vit/inference_model.h>
#include <vit/load.h>
#include <vit/scores.h>

namespace {

cv::VideoCapture open(const std::string& source) {
  const bool number =
      !source.empty() && std::all_of(source.begin(), source.end(),
                                     [](unsigned char c) { return std::isdigit(c) != 0; });
  cv::VideoCapture capture;
  if (number ? capture.open(std::stoi(source)) : capture.open(source)) return capture;
  throw std::runtime_error(source + ": OpenCV cannot open this " + (number ? "camera" : "film"));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3 || argc > 4) {
    std::cerr << "usage: camera CHECKPOINT DEVICE|FILM [FRAMES]\n";
    return 2;
  }
  try {
    const vit::InferenceModel model(vit::load(argv[1]));
    cv::VideoCapture capture = open(argv[2]);
    const int64_t frames = argc > 3 ? std::stoll(argv[3]) : std::numeric_limits<int64_t>::max();

    cv::Mat picture;
    for (int64_t frame = 1; frame <= frames && capture.read(picture); ++frame) {
      const auto pixels = media::preprocess(media::from_mat(picture), model.preprocessing());
      const auto logits = model.forward(pixels.unsqueeze(0));
      const auto [score, index] = vit::scores(logits, model.score_kind()).max(-1);
      std::cout << "frame " << frame << ": " << model.labels().at(index.item<int64_t>()) << " "
                << score.item<float>() << std::endl;
    }
  } catch (const std::exception& error) {
    std::cerr << "camera: " << error.what() << "\n";
    return 1;
  }
}
