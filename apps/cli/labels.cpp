#include <algorithm>
#include <filesystem>

#include <apps/cli/labels.h>

namespace cli {

std::string label_name(const std::vector<std::string>& labels, int64_t index) {
  if (index < static_cast<int64_t>(labels.size())) return labels[static_cast<std::size_t>(index)];
  return "class " + std::to_string(index);
}

int64_t label_of_folder(const std::string& file, const std::vector<std::string>& labels) {
  const std::string folder = std::filesystem::path(file).parent_path().filename().string();
  const auto found = std::find(labels.begin(), labels.end(), folder);
  return found == labels.end() ? -1 : found - labels.begin();
}

}  // namespace cli
