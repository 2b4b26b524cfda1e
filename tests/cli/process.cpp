#include "tests/cli/process.h"

#include <sstream>

namespace test {

std::unique_ptr<Process> start_vitome(const std::vector<std::string>& arguments,
                                      ProcessOptions options) {
  std::vector<std::string> command = {VITOME_PROGRAM};
  command.insert(command.end(), arguments.begin(), arguments.end());
  options.environment.emplace_back("VITOME_MODELS=" VITOME_SHIPPED_MODELS);
  return std::make_unique<Process>(command, options);
}

Finished vitome(const std::vector<std::string>& arguments, const ProcessOptions& options) {
  return start_vitome(arguments, options)->wait();
}

std::vector<std::unique_ptr<Process>> vitomes(int count,
                                              const std::vector<std::string>& arguments) {
  const uint16_t port = free_port();
  std::vector<std::unique_ptr<Process>> processes;
  for (int rank = 0; rank < count; ++rank) {
    ProcessOptions options;
    options.environment = process_variables(rank, count, port);
    processes.push_back(start_vitome(arguments, std::move(options)));
  }
  return processes;
}

std::vector<nlohmann::json> json_lines(const std::string& text) {
  std::vector<nlohmann::json> objects;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) objects.push_back(nlohmann::json::parse(line));
  return objects;
}

}  // namespace test
