#include "tests/cli/process.h"

#include <sstream>

namespace test {

Finished vitome(const std::vector<std::string>& arguments, const ProcessOptions& options) {
  std::vector<std::string> command = {VITOME_PROGRAM};
  command.insert(command.end(), arguments.begin(), arguments.end());
  ProcessOptions with_models = options;
  with_models.environment.emplace_back("VITOME_MODELS=" VITOME_SHIPPED_MODELS);
  return Process(command, with_models).wait();
}

std::vector<nlohmann::json> json_lines(const std::string& text) {
  std::vector<nlohmann::json> objects;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) objects.push_back(nlohmann::json::parse(line));
  return objects;
}

}  // namespace test
