#pragma once

#include <fstream>
#include <initializer_list>
#include <ostream>
#include <string>

#include <apps/cli/options.h>

namespace cli {

/// Where an option such as --json FILE writes: a file, or standard output for "-".
class Output {
 public:
  /// Opens the file, so that a path that cannot be written is known before the work begins. Without
  /// the option on the command line there is no output. Throws base::Error.
  Output(const Arguments& arguments, const std::string& option);

  explicit operator bool() const { return stream_ != nullptr; }
  bool is_stdout() const;

  /// Does nothing without the option.
  void write(const std::string& text);

  /// Throws base::Error if anything could not be written.
  void close();

 private:
  std::string option_;
  std::string path_;
  std::ofstream file_;
  std::ostream* stream_ = nullptr;
};

/// Throws UsageError if more than one of them writes to standard output.
void check_one_stdout(std::initializer_list<const Output*> outputs);

}  // namespace cli
