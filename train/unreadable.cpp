#include <utility>

#include <base/text.h>
#include <data/by_class.h>
#include <train/unreadable.h>

namespace train {

Unreadable::Unreadable(const data::Dataset& dataset, std::string what,
                       std::function<void(const std::string&)> warn)
    : dataset_(dataset), what_(std::move(what)), warn_(std::move(warn)) {}

void Unreadable::add(const std::vector<int64_t>& entries, const std::vector<std::string>& errors) {
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (!entries_.insert(entries[i]).second) continue;
    if (first_error_.empty()) first_error_ = errors[i];
    if (warn_) warn_(errors[i]);
  }
}

void Unreadable::report(distributed::Group& group) {
  std::vector<std::string> mine;
  for (const int64_t entry : entries_) mine.push_back(std::to_string(entry));
  std::set<int64_t> all;
  for (const std::string& text : group.all_gather(base::join(mine, " ")))
    for (const std::string& word : base::split(text, ' '))
      if (const auto entry = base::parse_integer(word)) all.insert(*entry);
  if (all.size() > reported_ && group.leader() && warn_)
    warn_(std::to_string(all.size()) + " of " + std::to_string(dataset_.size()) + " " + what_ +
          " pictures cannot be read, by class: " +
          data::by_class(dataset_, std::vector<int64_t>(all.begin(), all.end())));
  reported_ = all.size();
}

}  // namespace train
