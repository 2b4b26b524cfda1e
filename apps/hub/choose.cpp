#include <algorithm>
#include <array>
#include <fnmatch.h>
#include <fstream>
#include <set>

#include <apps/cli/text.h>
#include <apps/hub/choose.h>
#include <apps/hub/json.h>
#include <apps/hub/names.h>
#include <vit/error.h>

namespace hub {
namespace fs = std::filesystem;
namespace {

constexpr uintmax_t kMaxIndex = 32 << 20;
constexpr std::size_t kMaxShards = 4096;

// The best first.
const std::vector<std::string> kWeights = {
    "model.safetensors", "model.safetensors.index.json", "open_clip_model.safetensors",
    "pytorch_model.bin", "pytorch_model.bin.index.json", "open_clip_pytorch_model.bin",
};
constexpr std::array<const char*, 5> kWeightSuffixes = {".safetensors", ".pth", ".pt", ".bin",
                                                        ".npz"};
// Files that training leaves beside the weights, without the suffix.
const std::set<std::string> kNoWeights = {"training_args", "optimizer", "scheduler", "scaler",
                                          "rng_state"};

bool contains(const std::vector<std::string>& files, const std::string& name) {
  return std::find(files.begin(), files.end(), name) != files.end();
}

bool matches_any(const std::string& file, const std::vector<std::string>& patterns) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    return fnmatch(pattern.c_str(), file.c_str(), 0) == 0;
  });
}

std::vector<std::string> with_suffix(const std::vector<std::string>& files,
                                     const std::string& suffix) {
  std::vector<std::string> found;
  for (const std::string& file : files) {
    if (!file.ends_with(suffix) || file.find('/') != std::string::npos) continue;
    if (!kNoWeights.contains(file.substr(0, file.size() - suffix.size()))) found.push_back(file);
  }
  return found;
}

// For messages: the files, but not thousands of them.
std::string listed(std::vector<std::string> files) {
  constexpr std::size_t kShown = 12;
  const bool more = files.size() > kShown;
  if (more) files.resize(kShown);
  return files.empty() ? "no files" : cli::join(files, ", ") + (more ? ", ..." : "");
}

}  // namespace

const std::vector<std::string>& config_files() {
  static const std::vector<std::string> names = {"config.json", "open_clip_config.json",
                                                 "preprocessor_config.json"};
  return names;
}

std::vector<std::string> common_files() {
  std::vector<std::string> names = config_files();
  names.insert(names.end(), kWeights.begin(), kWeights.end());
  return names;
}

std::optional<std::string> choose_weights(const std::vector<std::string>& files) {
  for (const std::string& name : kWeights)
    if (contains(files, name)) return name;
  for (const char* suffix : kWeightSuffixes) {
    const std::vector<std::string> found = with_suffix(files, suffix);
    if (found.size() == 1) return found.front();
    if (found.size() > 1) return std::nullopt;
  }
  return std::nullopt;
}

std::vector<std::string> choose(const std::vector<std::string>& files, const Selection& selection,
                                const std::string& where) {
  if (selection.all) return files;
  std::vector<std::string> chosen;
  if (!selection.include.empty()) {
    for (const std::string& file : files)
      if (matches_any(file, selection.include)) chosen.push_back(file);
    if (chosen.empty())
      vit::fail(where, ": no file matches ", cli::join(selection.include, ", "), "; it has ",
                listed(files));
    return chosen;
  }
  for (const std::string& name : config_files())
    if (contains(files, name)) chosen.push_back(name);
  const std::optional<std::string> weights = choose_weights(files);
  if (!weights)
    vit::fail(where, ": cannot tell which file holds the weights; it has ", listed(files),
              "; name them with --include");
  chosen.push_back(*weights);
  return chosen;
}

bool is_index(const std::string& file) { return file.ends_with(".index.json"); }

std::vector<std::string> shards(const fs::path& index) {
  std::error_code fault;
  const uintmax_t size = fs::file_size(index, fault);
  if (fault || size > kMaxIndex)
    vit::fail(index.string(), ": ", fault ? fault.message() : "too large for an index of weights");
  std::string text(size, '\0');
  std::ifstream file(index, std::ios::binary);
  file.read(text.data(), static_cast<std::streamsize>(size));
  const nlohmann::json json = parse_json(text, index.string());
  if (!json.is_object() || !json.contains("weight_map") || !json["weight_map"].is_object())
    vit::fail(index.string(), ": expected an object weight_map");
  std::set<std::string> names;
  for (const auto& [tensor, name] : json["weight_map"].items()) {
    if (!name.is_string())
      vit::fail(index.string(), ": weight_map names something that is no file");
    names.insert(name.get<std::string>());
    check_file_name(name.get_ref<const std::string&>());
    if (names.size() > kMaxShards)
      vit::fail(index.string(), ": names more than ", kMaxShards, " files");
  }
  return {names.begin(), names.end()};
}

}  // namespace hub
