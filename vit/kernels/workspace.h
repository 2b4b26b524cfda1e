#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include <c10/core/CPUAllocator.h>

namespace vit::kernels {

/// Scratch memory of a pass (an arena): given out piece by piece, taken back at once, and reused by
/// the next pass.
class Workspace {
 public:
  /// Uninitialised memory for `count` numbers, aligned to a cache line.
  template <typename T>
  T* take(int64_t count) {
    return static_cast<T*>(take_bytes(static_cast<std::size_t>(count) * sizeof(T)));
  }

  /// Everything taken before is free again.
  void reset() {
    if (pieces_.size() > 1) {  // next time one piece will do
      pieces_.clear();
      add_piece(total_);
    }
    used_ = 0;
    total_ = 0;
  }

 private:
  static constexpr std::size_t kLine = 64;

  void* take_bytes(std::size_t bytes) {
    bytes = (bytes + kLine - 1) / kLine * kLine;
    total_ += bytes;
    if (pieces_.empty() || used_ + bytes > size_) add_piece(bytes);
    void* at = static_cast<char*>(pieces_.back().get()) + used_;
    used_ += bytes;
    return at;
  }

  void add_piece(std::size_t bytes) {
    pieces_.push_back(c10::GetCPUAllocator()->allocate(bytes));
    size_ = bytes;
    used_ = 0;
  }

  std::vector<c10::DataPtr> pieces_;
  std::size_t size_ = 0;   // of the last piece
  std::size_t used_ = 0;   // of the last piece
  std::size_t total_ = 0;  // since reset()
};

/// Workspaces that passes running at the same time borrow, each its own.
class WorkspacePool {
 public:
  class Loan {
   public:
    explicit Loan(WorkspacePool& pool) : pool_(pool), workspace_(pool.borrow()) {}
    ~Loan() { pool_.give_back(std::move(workspace_)); }
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;
    Workspace& operator*() { return *workspace_; }

   private:
    WorkspacePool& pool_;
    std::unique_ptr<Workspace> workspace_;
  };

 private:
  std::unique_ptr<Workspace> borrow() {
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) return std::make_unique<Workspace>();
    auto workspace = std::move(idle_.back());
    idle_.pop_back();
    return workspace;
  }
  void give_back(std::unique_ptr<Workspace> workspace) {
    workspace->reset();
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(workspace));
  }

  std::mutex mutex_;
  std::vector<std::unique_ptr<Workspace>> idle_;
};

}  // namespace vit::kernels
