#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace hub {

/// Which files of a model to bring.
struct Selection {
  bool all = false;
  /// Shell patterns; "*" matches slashes too. Without any: what a Vision Transformer needs.
  std::vector<std::string> include;

  bool is_default() const { return !all && include.empty(); }
};

/// Configurations of a model: those that it has are all needed.
const std::vector<std::string>& config_files();

/// The names of configurations and weights that models usually have.
std::vector<std::string> common_files();

/// The weights to load, out of a model's files: safetensors before pickles, one file before an
/// index of several. Nothing if there are none, or several to choose from.
std::optional<std::string> choose_weights(const std::vector<std::string>& files);

/// The files of a selection. By default configurations and weights. Throws base::Error that lists
/// what there is if nothing matches; `where` names the model.
std::vector<std::string> choose(const std::vector<std::string>& files, const Selection& selection,
                                const std::string& where);

/// Lists the files that hold the weights, by their names.
bool is_index(const std::string& file);

/// The files that an index names, relative to the model. Throws base::Error if it is malformed or
/// names what cannot be a file of the model.
std::vector<std::string> shards(const std::filesystem::path& index);

}  // namespace hub
