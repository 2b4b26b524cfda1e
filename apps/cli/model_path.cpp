#include <cstdlib>
#include <set>

#include <apps/cli/hub_model.h>
#include <apps/cli/model_path.h>
#include <apps/cli/text.h>
#include <base/error.h>
#include <base/text.h>

namespace cli {
namespace fs = std::filesystem;
namespace {

constexpr int kParentFolders = 4;
constexpr const char* kSuffix = "-vit";

bool is_model_folder(const fs::path& folder) {
  std::error_code ignored;
  for (const char* file : {"config.json", "model.safetensors", "model.safetensors.index.json"})
    if (fs::exists(folder / file, ignored)) return true;
  return false;
}

std::vector<std::string> shipped_names(const std::vector<fs::path>& folders) {
  std::set<std::string> names;
  for (const fs::path& folder : folders) {
    std::error_code fault;
    for (fs::directory_iterator entry(folder, fault), end; !fault && entry != end;
         entry.increment(fault)) {
      if (!is_model_folder(entry->path())) continue;
      std::string name = entry->path().filename().string();
      if (name.ends_with(kSuffix)) name.resize(name.size() - std::string(kSuffix).size());
      names.insert(name);
    }
  }
  return {names.begin(), names.end()};
}

}  // namespace

fs::path executable_folder() {
  std::error_code fault;
  const fs::path self = fs::read_symlink("/proc/self/exe", fault);
  return fault ? fs::current_path() : self.parent_path();
}

std::vector<fs::path> model_folders() {
  std::vector<fs::path> folders;
  if (const char* chosen = std::getenv("VITOME_MODELS"); chosen && *chosen)
    folders.emplace_back(chosen);
  fs::path folder = executable_folder();
  folders.push_back((folder / "../share/vitome/models").lexically_normal());
  for (int i = 0; i < kParentFolders && folder != folder.parent_path(); ++i) {
    folder = folder.parent_path();
    folders.push_back(folder / "models");
  }
  return folders;
}

fs::path find_model(const std::string& name) {
  if (name.starts_with("hf:")) return hub_model(name.substr(3));
  std::error_code ignored;
  if (fs::is_regular_file(name, ignored) || is_model_folder(name)) return name;
  // Only what cannot be a path is looked up, so that a mistyped path is not taken for something
  // else.
  const bool is_path = name.empty() || name.find('/') != std::string::npos;
  const std::vector<fs::path> folders = is_path ? std::vector<fs::path>() : model_folders();
  for (const fs::path& folder : folders)
    for (const std::string& candidate : {name + kSuffix, name})
      if (is_model_folder(folder / candidate)) return folder / candidate;
  if (fs::is_directory(name, ignored)) return name;  // loading it says what is missing
  if (is_path) base::fail("model '", name, "': no such file or folder");

  const std::vector<std::string> names = shipped_names(folders);
  std::string message =
      "model '" + name + "': no such file, folder or shipped model." + did_you_mean(name, names);
  message += "\n  shipped models: " + (names.empty() ? "none found" : base::join(names, ", "));
  for (const fs::path& folder : folders) message += "\n  searched: " + folder.string();
  base::fail(message, "\n  set VITOME_MODELS to a folder of models to search there too");
}

}  // namespace cli
