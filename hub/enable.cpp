#include <filesystem>
#include <string>
#include <utility>

#include <base/model_source.h>
#include <hub/enable.h>
#include <hub/names.h>
#include <hub/pull.h>

namespace hub {
namespace {

constexpr char kPrefix[] = "hf:";

std::filesystem::path bring(const std::string& name, const Settings& settings,
                            const std::shared_ptr<Monitor>& monitor) {
  const Repo repo = parse_repo(name);
  if (const auto cached = find_cached(repo, settings)) return cached->path;
  Monitor silent;
  return pull(repo, {}, settings, monitor ? *monitor : silent).path;
}

}  // namespace

void enable(std::shared_ptr<Monitor> monitor) {
  base::set_model_source(kPrefix, [monitor = std::move(monitor)](const std::string& name) {
    return bring(name, Settings::from_environment(), monitor);
  });
}

void enable(Settings settings, std::shared_ptr<Monitor> monitor) {
  base::set_model_source(kPrefix,
                         [settings = std::move(settings), monitor = std::move(monitor)](
                             const std::string& name) { return bring(name, settings, monitor); });
}

void disable() { base::set_model_source(kPrefix, nullptr); }

}  // namespace hub
