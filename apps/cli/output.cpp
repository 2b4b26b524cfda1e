#include <algorithm>
#include <iostream>

#include <apps/cli/output.h>
#include <apps/cli/usage_error.h>
#include <base/error.h>

namespace cli {

Output::Output(const Arguments& arguments, const std::string& option) : option_("--" + option) {
  if (!arguments.has(option)) return;
  path_ = arguments.text(option);
  if (path_.empty()) usage_error(option_, " needs a file name, or - for standard output");
  if (path_ == "-") {
    stream_ = &std::cout;
    return;
  }
  file_.open(path_, std::ios::binary | std::ios::trunc);
  if (!file_) base::fail(option_, ": cannot write to ", path_);
  stream_ = &file_;
}

bool Output::is_stdout() const { return stream_ == &std::cout; }

void Output::write(const std::string& text) {
  if (stream_) *stream_ << text;
}

void Output::close() {
  if (!stream_) return;
  stream_->flush();
  if (!*stream_) base::fail(option_, ": writing to ", path_, " failed; is the disk full?");
}

void check_one_stdout(std::initializer_list<const Output*> outputs) {
  const auto count = std::count_if(outputs.begin(), outputs.end(),
                                   [](const Output* output) { return output->is_stdout(); });
  if (count > 1) usage_error("only one output can go to standard output (-)");
}

}  // namespace cli
