#include "eval/gather.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include <eval/state.h>

namespace eval {

void gather(distributed::Group& group, Records& records) {
  if (group.size() == 1) return;
  std::map<std::string, at::Tensor> tensors;
  std::vector<at::Tensor> parts;
  for (const auto& [name, tensor] : records.tensors()) {
    tensors[name] = tensor.clone();
    parts.push_back(tensors[name]);
  }
  // All others have zeros where one has a number: sums are exact.
  group.all_reduce_sum(parts);
  std::map<int64_t, std::string> failures;
  for (const std::string& text : group.all_gather(failures_text(records.failures())))
    failures.merge(parse_failures(text, records.pictures(), "another process"));
  records.assign(tensors, std::move(failures), "the records of all processes");
}

}  // namespace eval
