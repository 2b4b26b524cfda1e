#pragma once

#include "tests/support/process.h"

#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace test {

/// Runs the vitome of this build, with the shipped models of the source tree. It is killed after
/// four minutes.
Finished vitome(const std::vector<std::string>& arguments, const ProcessOptions& options = {});

/// The same, while it runs.
std::unique_ptr<Process> start_vitome(const std::vector<std::string>& arguments,
                                      ProcessOptions options = {});

/// The same in `count` processes that work together, by rank; they still run.
std::vector<std::unique_ptr<Process>> vitomes(int count, const std::vector<std::string>& arguments);

/// The JSON objects of a text that has one a line. Throws if a line is no JSON.
std::vector<nlohmann::json> json_lines(const std::string& text);

}  // namespace test
