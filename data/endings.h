#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace data {

/// Finds picture files by names without their endings, such as the ids that many lists have.
class Endings {
 public:
  /// `name` itself if it ends like a picture or is there; else the one picture in its folder that
  /// has this name and an ending, of several the one that can be read. Nothing where there is none,
  /// or several can be read.
  std::optional<std::filesystem::path> find(const std::filesystem::path& name);

 private:
  using Names =
      std::map<std::string, std::vector<std::filesystem::path>>;  // by name without ending
  const Names& pictures_in(const std::filesystem::path& folder);

  std::map<std::filesystem::path, Names> folders_;
};

}  // namespace data
