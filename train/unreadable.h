#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include <data/dataset.h>
#include <distributed/group.h>

namespace train {

/// The pictures of a data set that a run could not read: each is told once, and how many they are
/// of each class.
class Unreadable {
 public:
  /// `what` is what the data set is for ("training"). `warn` may be empty.
  Unreadable(const data::Dataset& dataset, std::string what,
             std::function<void(const std::string&)> warn);

  /// Notes entries of this process's share, with the reasons.
  void add(const std::vector<int64_t>& entries, const std::vector<std::string>& errors);

  /// Has process 0 say how many there are in all processes, if that is more than the last time. To
  /// be called by all of them at once.
  void report(distributed::Group& group);

  /// Why the first one could not be read; empty if this process knows of none.
  const std::string& first_error() const { return first_error_; }

 private:
  const data::Dataset& dataset_;
  std::string what_;
  std::function<void(const std::string&)> warn_;
  std::set<int64_t> entries_;
  std::string first_error_;
  std::size_t reported_ = 0;
};

}  // namespace train
