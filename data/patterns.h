#pragma once

#include <string>
#include <vector>

namespace data {

/// What a shell makes of braces: "train-{000..012}.tar", "{train,val}-{0..9}.tar". Braces that hold
/// neither a range nor a comma stay as they are. Throws base::Error for more than a million names.
std::vector<std::string> expand_braces(const std::string& pattern);

}  // namespace data
