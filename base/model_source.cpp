#include <map>
#include <mutex>
#include <utility>

#include <base/error.h>
#include <base/model_source.h>
#include <base/text.h>

namespace base {
namespace {

struct Sources {
  std::mutex mutex;
  std::map<std::string, ModelSource> by_prefix;
};

Sources& sources() {
  static Sources all;
  return all;
}

}  // namespace

void set_model_source(const std::string& prefix, ModelSource source) {
  const std::lock_guard lock(sources().mutex);
  if (source)
    sources().by_prefix[prefix] = std::move(source);
  else
    sources().by_prefix.erase(prefix);
}

std::filesystem::path find_model(const std::filesystem::path& model) {
  const std::string text = model.string();
  ModelSource source;
  std::string name;
  {
    const std::lock_guard lock(sources().mutex);
    for (const auto& [prefix, candidate] : sources().by_prefix)
      if (text.starts_with(prefix)) {
        source = candidate;
        name = text.substr(prefix.size());
      }
  }
  if (source) return source(name);
  if (text.starts_with("hf:"))
    fail("model '", printable(text),
         "': this program brings no models from a hub; link vitome::hub and call hub::enable(), or "
         "download the model and give its folder");
  return model;
}

}  // namespace base
