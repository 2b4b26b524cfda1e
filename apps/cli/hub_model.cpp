#include <apps/cli/hub_model.h>
#include <apps/cli/hub_progress.h>
#include <apps/cli/interrupt.h>
#include <hub/http.h>
#include <hub/pull.h>

namespace cli {

std::filesystem::path hub_model(const std::string& name) {
  const hub::Repo repo = hub::parse_repo(name);
  const hub::Settings settings = hub::Settings::from_environment();
  if (const auto cached = hub::find_cached(repo, settings)) return cached->path;
  HubProgress progress(false);
  try {
    return hub::pull(repo, {}, settings, progress).path;
  } catch (const hub::Interrupted&) {
    progress.hide();
    end_interrupted();
    throw;
  }
}

}  // namespace cli
