#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <vit/kernels/range.h>

namespace vit::training {

/// Work stealing: numbered units of work for several threads. Each does its own part first, in
/// order, and then what others have not begun, so that none waits long for one that the machine
/// slows down. What is computed must not depend on who does a unit.
class WorkStealing {
 public:
  /// Part i is thread i's.
  explicit WorkStealing(const std::vector<kernels::Range>& parts) : parts_(parts.size()) {
    for (std::size_t i = 0; i < parts.size(); ++i) {
      parts_[i].next = parts[i].begin;
      parts_[i].end = parts[i].end;
    }
  }

  /// Calls work(unit) until nothing is left to begin. Once for each thread.
  template <typename F>
  void run(int64_t thread, const F& work) {
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      Part& part = parts_[(static_cast<std::size_t>(thread) + i) % parts_.size()];
      // What happened before and after is ordered by the start and the end of the threads.
      for (int64_t unit; (unit = part.next.fetch_add(1, std::memory_order_relaxed)) < part.end;)
        work(unit);
    }
  }

 private:
  // Threads that count in their own parts do not share a cache line.
  struct alignas(64) Part {
    std::atomic<int64_t> next = 0;
    int64_t end = 0;
  };

  std::vector<Part> parts_;
};

}  // namespace vit::training
