// Writes a film of pictures, all of one size, a frame each.
//
//   install_film film.avi samples/ship.jpg samples/truck.jpg

#include <exception>
#include <iostream>
#include <opencv2/videoio.hpp>

#include <media/image.h>
#include <media/opencv.h>

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: install_film FILM PICTURE...\n";
    return 2;
  }
  try {
    cv::VideoWriter film;
    for (int i = 2; i < argc; ++i) {
      const cv::Mat frame = media::to_mat(media::read_image(argv[i]));
      // OpenCV's own MJPEG, which needs no other library.
      if (i == 2 && !film.open(argv[1], cv::CAP_OPENCV_MJPEG,
                               cv::VideoWriter::fourcc('M', 'J', 'P', 'G'), 25, frame.size()))
        vit::fail(argv[1], ": OpenCV cannot write this film");
      film.write(frame);
    }
  } catch (const std::exception& error) {
    std::cerr << "install_film: " << error.what() << "\n";
    return 1;
  }
}
