#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <tuple>
#include <unistd.h>
#include <utility>

#include <base/error.h>
#include <train/event_file.h>
#include <train/event_message.h>
#include <train/tfrecord.h>

namespace train {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBufferBytes = 64 << 10;

double now() {
  const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration<double>(since_1970).count();
}

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0 || std::strchr(name.data(), '/'))
    return "host";
  return name.data();
}

// 0 if all of it was written, errno otherwise.
int write_at(int handle, std::string_view data, int64_t offset) {
  while (!data.empty()) {
    const ssize_t count = pwrite(handle, data.data(), data.size(), offset);
    if (count < 0 && errno != EINTR) return errno;
    if (count == 0) return EIO;
    if (count < 0) continue;
    data.remove_prefix(static_cast<std::size_t>(count));
    offset += count;
  }
  return 0;
}

}  // namespace

EventFile::EventFile(const fs::path& folder, int64_t resumed_at) {
  std::error_code fault;
  fs::create_directories(folder, fault);
  if (fault) base::fail(folder.string(), ": cannot make this folder: ", fault.message());
  const double time = now();
  const std::string name = "events.out.tfevents." + std::to_string(static_cast<int64_t>(time)) +
                           "." + host_name() + "." + std::to_string(getpid());
  // One process may open several in a second.
  for (int i = 0; handle_ < 0; ++i) {
    std::string file = name;
    if (i > 0) file.append(".").append(std::to_string(i));
    path_ = folder / file.append(".vitome");
    handle_ = open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (handle_ < 0 && errno != EEXIST)
      base::fail(path_.string(), ": cannot make this file: ", std::strerror(errno));
  }
  buffer_ = tfrecord(version_event(time));
  if (resumed_at > 0) buffer_ += tfrecord(start_event(time, resumed_at));
  try {
    flush();
  } catch (...) {
    close(handle_);  // the destructor is not going to run
    throw;
  }
}

EventFile::~EventFile() {
  try {
    flush();
  } catch (const base::Error&) {
    // Who wants to know calls flush().
  }
  close(handle_);
}

void EventFile::scalar(const std::string& tag, int64_t step, double value) {
  add(scalar_event(now(), step, tag, value));
}

void EventFile::text(const std::string& tag, int64_t step, const std::string& markdown) {
  add(text_event(now(), step, tag, markdown));
}

void EventFile::flush() {
  const std::string records = std::exchange(buffer_, {});
  const int fault = write_at(handle_, records, written_);
  if (fault == 0) {
    written_ += static_cast<int64_t>(records.size());
    return;
  }
  // The next write begins there in any case, but half a record should not be left to readers.
  std::ignore = ftruncate(handle_, written_);
  base::fail(path_.string(), ": cannot write to this file: ", std::strerror(fault));
}

void EventFile::add(std::string_view event) {
  buffer_ += tfrecord(event);
  if (buffer_.size() >= kBufferBytes) flush();
}

}  // namespace train
