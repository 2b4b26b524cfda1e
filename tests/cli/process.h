#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace test {

/// What a finished program left behind.
struct Finished {
  int status = 0;  ///< exit status, 128 + signal as shells have it, or -1 if it ran out of time
  std::string out;
  std::string err;
};

struct ProcessOptions {
  std::string input{};                        ///< on standard input
  std::vector<std::string> environment{};     ///< "NAME=value" beside the inherited ones
  std::filesystem::path folder{};             ///< to run in; the current one if empty
  std::filesystem::path interrupt_at_file{};  ///< SIGINT as soon as this file exists
};

/// Runs the vitome of this build, with the shipped models of the source tree. It is killed after
/// two minutes.
Finished vitome(const std::vector<std::string>& arguments, const ProcessOptions& options = {});

/// The JSON objects of a text that has one a line. Throws if a line is no JSON.
std::vector<nlohmann::json> json_lines(const std::string& text);

std::string read_text(const std::filesystem::path& path);

}  // namespace test
