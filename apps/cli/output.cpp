#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <iostream>
#include <sys/stat.h>
#include <unistd.h>

#include <apps/cli/output.h>
#include <apps/cli/standard_output.h>
#include <apps/cli/usage_error.h>
#include <base/error.h>
#include <base/text.h>

namespace cli {
namespace {

// A descriptor, or -1 with errno.
int open_for_writing(const std::string& path) {
  constexpr int kFlags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC;
  constexpr mode_t kMode = 0666;
  struct stat status {};
  if (stat(path.c_str(), &status) != 0 || !S_ISFIFO(status.st_mode))
    return open(path.c_str(), kFlags, kMode);
  const int descriptor = open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor >= 0) {
    fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) & ~O_NONBLOCK);
    return descriptor;
  }
  if (errno != ENXIO) return -1;
  std::cerr << "note: " << base::printable(path) << " is a named pipe that nobody reads; waiting\n";
  return open(path.c_str(), O_WRONLY | O_CLOEXEC);
}

}  // namespace

class Output::File {
 public:
  explicit File(int descriptor) : descriptor_(descriptor), buffer_(descriptor), stream_(&buffer_) {}
  ~File() { finish(); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  std::ostream& stream() { return stream_; }

  /// What went wrong (errno); 0 for nothing.
  int finish() {
    stream_.flush();
    int error = buffer_.error();
    // Network file systems may say only now that something could not be written.
    if (descriptor_ >= 0 && ::close(descriptor_) != 0 && error == 0) error = errno;
    descriptor_ = -1;
    return error;
  }

 private:
  int descriptor_;
  DescriptorBuffer buffer_;
  std::ostream stream_;
};

Output::Output(const Arguments& arguments, const std::string& option) : option_("--" + option) {
  if (!arguments.has(option)) return;
  path_ = arguments.text(option);
  if (path_.empty()) usage_error(option_, " needs a file name, or - for standard output");
  if (path_ == "-") {
    stream_ = &std::cout;
    return;
  }
  const int descriptor = open_for_writing(path_);
  const int error = errno;
  if (descriptor < 0)
    base::fail(option_, ": cannot write to ", base::printable(path_), ": ", std::strerror(error));
  file_ = std::make_unique<File>(descriptor);
  stream_ = &file_->stream();
}

Output::~Output() = default;

bool Output::is_stdout() const { return stream_ == &std::cout; }

void Output::write(const std::string& text) {
  if (stream_) *stream_ << text;
}

void Output::close() {
  if (is_stdout()) return flush_standard_output();
  if (!file_) return;
  if (const int error = file_->finish())
    base::fail(option_, ": writing to ", base::printable(path_), " failed: ", std::strerror(error));
}

void check_one_stdout(std::initializer_list<const Output*> outputs) {
  const auto count = std::count_if(outputs.begin(), outputs.end(),
                                   [](const Output* output) { return output->is_stdout(); });
  if (count > 1) usage_error("only one output can go to standard output (-)");
}

}  // namespace cli
