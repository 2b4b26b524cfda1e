#include <algorithm>
#include <filesystem>

#include <apps/cli/labels.h>

namespace cli {

int64_t label_of_folder(const std::string& file, const std::vector<std::string>& labels) {
  const std::string folder = std::filesystem::path(file).parent_path().filename().string();
  const auto found = std::find(labels.begin(), labels.end(), folder);
  return found == labels.end() ? -1 : found - labels.begin();
}

}  // namespace cli
