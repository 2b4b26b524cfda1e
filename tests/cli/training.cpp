#include "tests/cli/training.h"

#include <fstream>

namespace test {

namespace fs = std::filesystem;

void write_pictures(const fs::path& folder, const std::vector<std::string>& colours, int count) {
  for (std::size_t channel = 0; channel < colours.size(); ++channel) {
    fs::create_directories(folder / colours[channel]);
    for (int i = 0; i < count; ++i) {
      std::ofstream file(folder / colours[channel] / (std::to_string(i) + ".ppm"),
                         std::ios::binary);
      file << "P6 16 16 255\n";
      for (std::size_t k = 0; k < 16 * 16 * 3; ++k)
        file.put(static_cast<char>(k % 3 == channel ? 200 + i : (k * 7 + i * 13) % 90));
    }
  }
}

std::vector<std::string> train_words(const fs::path& data, const fs::path& output,
                                     const std::vector<std::string>& more) {
  std::vector<std::string> words{
      "train", data.string(), "--output", output.string(), "--batch", "8",           "--threads",
      "1",     "--seed",      "3",        "--padding",     "1",       "--clip-grad", "5"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

std::vector<std::string> small_model() {
  return {"--model-args",
          "img_size=16 patch_size=4 embed_dim=16 depth=2 num_heads=2",
          "--epochs",
          "5",
          "--lr",
          "1e-2",
          "--warmup-epochs",
          "1"};
}

}  // namespace test
