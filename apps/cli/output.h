#pragma once

#include <initializer_list>
#include <memory>
#include <ostream>
#include <string>

#include <apps/cli/descriptor_buffer.h>
#include <apps/cli/options.h>

namespace cli {

/// Where an option such as --json FILE writes: a file, or standard output for "-".
class Output {
 public:
  /// Opens the file, so that a path that cannot be written is known before the work begins. Without
  /// the option on the command line there is no output. Throws base::Error with the reason. Says on
  /// standard error that it waits where the file is a named pipe that nobody reads.
  Output(const Arguments& arguments, const std::string& option);

  ~Output();
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  explicit operator bool() const { return stream_ != nullptr; }
  bool is_stdout() const;

  /// Does nothing without the option.
  void write(const std::string& text);

  /// Throws base::Error with the reason if anything could not be written.
  void close();

 private:
  class File;
  std::string option_;
  std::string path_;
  std::unique_ptr<File> file_;
  std::ostream* stream_ = nullptr;
};

/// Throws UsageError if more than one of them writes to standard output.
void check_one_stdout(std::initializer_list<const Output*> outputs);

}  // namespace cli
