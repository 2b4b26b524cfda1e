#include <cerrno>
#include <unistd.h>

#include <apps/cli/descriptor_buffer.h>

namespace cli {
namespace {

constexpr std::size_t kMostWaiting = 1 << 16;

}  // namespace

int DescriptorBuffer::error() const {
  const std::lock_guard lock(mutex_);
  return error_;
}

DescriptorBuffer::int_type DescriptorBuffer::overflow(int_type letter) {
  if (traits_type::eq_int_type(letter, traits_type::eof())) return traits_type::not_eof(letter);
  const char text = traits_type::to_char_type(letter);
  const std::lock_guard lock(mutex_);
  return add(&text, 1) ? letter : traits_type::eof();
}

std::streamsize DescriptorBuffer::xsputn(const char* text, std::streamsize size) {
  const std::lock_guard lock(mutex_);
  return add(text, static_cast<std::size_t>(size)) ? size : 0;
}

int DescriptorBuffer::sync() {
  const std::lock_guard lock(mutex_);
  return flush() ? 0 : -1;
}

bool DescriptorBuffer::add(const char* text, std::size_t size) {
  waiting_.append(text, size);
  return waiting_.size() < kMostWaiting ? error_ == 0 : flush();
}

bool DescriptorBuffer::flush() {
  for (std::size_t done = 0; error_ == 0 && done < waiting_.size();) {
    const ssize_t written = ::write(descriptor_, waiting_.data() + done, waiting_.size() - done);
    if (written >= 0)
      done += static_cast<std::size_t>(written);
    else if (errno != EINTR)
      error_ = errno;
  }
  waiting_.clear();
  return error_ == 0;
}

}  // namespace cli
