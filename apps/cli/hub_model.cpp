#include <csignal>

#include <apps/cli/hub_model.h>
#include <apps/cli/hub_progress.h>
#include <apps/hub/http.h>
#include <apps/hub/pull.h>

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
    // Ends the program as Ctrl-C does where nobody watches it; the first one has been used up.
    std::raise(SIGINT);
    throw;
  }
}

}  // namespace cli
