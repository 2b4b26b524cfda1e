#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace media {

/// Makes things 0 … count - 1 on threads of its own, ahead of the one who takes them in order.
template <typename T>
class ReadAhead {
 public:
  /// `make` is called by many threads at once and must not throw. At least one thread works, at
  /// most `ahead` (at least 1) things are under way or wait to be taken.
  ReadAhead(size_t count, std::function<T(size_t)> make, size_t threads, size_t ahead)
      : count_(count), make_(std::move(make)), ring_(std::max<size_t>(1, ahead)) {
    const size_t useful = std::min(ring_.size(), std::max<size_t>(1, count_));
    threads = std::clamp<size_t>(threads, 1, useful);
    for (size_t i = 0; i < threads; ++i)
      threads_.emplace_back([this](std::stop_token stop) { work(std::move(stop)); });
  }

  /// At any time: what is being made is finished, nothing else is begun.
  ~ReadAhead() = default;
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

  /// Waits for the next one; nothing after the last. For one thread at a time.
  std::optional<T> next() {
    std::unique_lock lock(mutex_);
    if (taken_ == count_) return std::nullopt;
    auto& place = ring_[taken_ % ring_.size()];
    ready_.wait(lock, [&] { return place.has_value(); });
    std::optional<T> thing = std::exchange(place, std::nullopt);
    ++taken_;
    room_.notify_all();
    return thing;
  }

 private:
  void work(std::stop_token stop) {
    const auto done = [&] { return begun_ == count_; };
    const auto awake = [&] { return done() || begun_ - taken_ < ring_.size(); };
    std::unique_lock lock(mutex_);
    while (room_.wait(lock, stop, awake) && !stop.stop_requested() && !done()) {
      const size_t index = begun_++;
      lock.unlock();
      T thing = make_(index);
      lock.lock();
      ring_[index % ring_.size()] = std::move(thing);
      ready_.notify_one();
    }
  }

  const size_t count_;
  const std::function<T(size_t)> make_;

  std::mutex mutex_;                          // guards what follows, up to the threads
  std::condition_variable_any room_, ready_;  // for the threads, for next()
  std::vector<std::optional<T>> ring_;        // thing i waits in place i % ahead
  size_t begun_ = 0, taken_ = 0;              // things so far
  std::vector<std::jthread> threads_;         // the last member: joined before the rest goes
};

}  // namespace media
