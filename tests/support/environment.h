#pragma once

#include <cstdlib>

#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>

namespace test {

/// Runs what it stands before with VITOME_KERNELS set.
class KernelChoice {
 public:
  explicit KernelChoice(const char* value) { setenv("VITOME_KERNELS", value, 1); }
  ~KernelChoice() { unsetenv("VITOME_KERNELS"); }
  KernelChoice(const KernelChoice&) = delete;
  KernelChoice& operator=(const KernelChoice&) = delete;
};

/// Runs what it stands before on so many threads.
class ThreadCount {
 public:
  explicit ThreadCount(int count) : before_(at::get_num_threads()) { at::set_num_threads(count); }
  ~ThreadCount() { at::set_num_threads(before_); }
  ThreadCount(const ThreadCount&) = delete;
  ThreadCount& operator=(const ThreadCount&) = delete;

 private:
  int before_;
};

/// Runs what it stands before under autocast on the CPU.
class Autocast {
 public:
  explicit Autocast(at::ScalarType dtype) {
    at::autocast::set_autocast_enabled(at::kCPU, true);
    at::autocast::set_autocast_dtype(at::kCPU, dtype);
  }
  ~Autocast() {
    at::autocast::set_autocast_enabled(at::kCPU, false);
    at::autocast::clear_cache();
  }
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;
};

}  // namespace test
