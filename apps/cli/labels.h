#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cli {

/// Class that the folder of a file names ("test/cat/0001.jpg" is a cat); -1 if it names none.
int64_t label_of_folder(const std::string& file, const std::vector<std::string>& labels);

}  // namespace cli
