// Loaded into the program by a test: threads that write to std::cerr all the time, as a library
// may.
#include <iostream>
#include <thread>

namespace {

struct Noise {
  Noise() {
    for (int i = 0; i < 3; ++i)
      std::thread([] {
        for (;; std::this_thread::yield()) std::cerr << "~\n";
      }).detach();
  }
};

const Noise noise;

}  // namespace
