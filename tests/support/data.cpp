#include "tests/support/data.h"

#include <fstream>
#include <stdexcept>

namespace test {

std::filesystem::path data(const std::filesystem::path& name) {
  auto path = std::filesystem::path(VITOME_TEST_DATA) / name;
  if (!std::filesystem::exists(path)) throw std::runtime_error("no test data: " + path.string());
  return path;
}

nlohmann::json read_json(const std::filesystem::path& path) {
  std::ifstream file(path);
  return nlohmann::json::parse(file);
}

}  // namespace test
