#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cli {

/// Name of a class, or "class 12" where the checkpoint does not name it.
std::string label_name(const std::vector<std::string>& labels, int64_t index);

/// Class that the folder of a file names ("test/cat/0001.jpg" is a cat); -1 if it names none.
int64_t label_of_folder(const std::string& file, const std::vector<std::string>& labels);

}  // namespace cli
