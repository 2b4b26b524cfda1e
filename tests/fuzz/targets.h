#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fuzz {

/// A reader of untrusted bytes. Whatever they are, it returns, or throws vit::Error.
using Read = void (*)(std::string_view input);

struct Target {
  const char* name;
  Read read;
};

/// Every reader of this build.
const std::vector<Target>& targets();

/// Those of pictures; none in a build without vitome::media.
std::vector<Target> picture_targets();

/// Throws std::invalid_argument that lists the names there are.
Read find_target(std::string_view name);

/// A config.json and lines that describe tensors go through all that vit::load does with what it
/// has read; see tests/fuzz/README.md for the form. Models that are small are built and run.
void read_checkpoint(std::string_view input);

}  // namespace fuzz
