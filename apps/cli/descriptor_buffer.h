#pragma once

#include <cstddef>
#include <mutex>
#include <streambuf>
#include <string>

namespace cli {

/// What a stream writes, on its way to a file descriptor. Threads may write and flush at the same
/// time (std::cerr flushes the stream that it is tied to, whoever uses it): no byte comes twice or
/// gets lost, and each text that is written in one piece stays one.
class DescriptorBuffer : public std::streambuf {
 public:
  explicit DescriptorBuffer(int descriptor) : descriptor_(descriptor) {}
  ~DescriptorBuffer() override { DescriptorBuffer::sync(); }
  DescriptorBuffer(const DescriptorBuffer&) = delete;
  DescriptorBuffer& operator=(const DescriptorBuffer&) = delete;

  /// Why writing failed (errno); 0 as long as it has not. Nothing is written afterwards.
  int error() const;

 protected:
  int_type overflow(int_type letter) override;
  std::streamsize xsputn(const char* text, std::streamsize size) override;
  int sync() override;

 private:
  bool add(const char* text, std::size_t size);
  bool flush();

  const int descriptor_;
  mutable std::mutex mutex_;  // guards what follows
  std::string waiting_;
  int error_ = 0;
};

}  // namespace cli
