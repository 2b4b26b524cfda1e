#include <iostream>

#include <nlohmann/json.hpp>

#include <apps/cli/hub_progress.h>
#include <apps/cli/interrupt.h>
#include <apps/cli/output.h>
#include <apps/cli/usage_error.h>
#include <apps/command.h>
#include <base/json_text.h>
#include <base/text.h>
#include <hub/http.h>
#include <hub/pull.h>

namespace {

cli::Options options() {
  cli::Options options(
      "vitome pull", "[options] ORG/NAME[@REVISION]",
      "Downloads a model from the Hugging Face hub, or from another one that HF_ENDPOINT names, "
      "and prints the folder where it is. Models are kept in the cache of Python's "
      "huggingface_hub (HF_HOME, HF_HUB_CACHE), so that both share them; what is there is not "
      "downloaded again, and an interrupted download goes on where it stopped. HF_TOKEN gives "
      "access to private and gated models, HF_HUB_OFFLINE=1 uses the cache alone, https_proxy and "
      "no_proxy are respected.",
      true);
  options.group("What")
      .value("revision", "R", "a branch, a tag or a commit (default: main)")
      .value("include", "GLOBS",
             "the files that match, instead of the configuration and weights of a Vision "
             "Transformer; several between commas, * matches slashes too")
      .flag("all", "all files of the model")
      .group("Output")
      .value("json", "FILE", "commit, folder and files as a JSON object; - is standard output")
      .flag("quiet", "no progress and no summary, only the folder and errors");
  options
      .example("vitome pull timm/vit_base_patch16_224.augreg2_in21k_ft_in1k",
               "configuration and weights; prints the folder")
      .example(
          "vitome classify photo.jpg --model \"$(vitome pull facebook/deit-small-patch16-224)\"",
          "for another command; --model hf:facebook/deit-small-patch16-224 does the same")
      .example("vitome pull google/vit-base-patch16-224@refs/pr/1 --include '*.json'",
               "the configurations of another revision");
  return options;
}

hub::Repo repo(const cli::Arguments& arguments) {
  if (arguments.files().size() != 1)
    cli::usage_error("expected one model, such as facebook/deit-small-patch16-224");
  std::string text = arguments.files().front();
  if (text.starts_with("hf:")) text.erase(0, 3);
  try {
    hub::Repo repo = hub::parse_repo(text);
    if (arguments.has("revision")) {
      if (text.find('@') != std::string::npos)
        cli::usage_error("the revision is given twice, after @ and with --revision");
      repo.revision = arguments.text("revision");
      hub::check_revision(repo.revision);
    }
    return repo;
  } catch (const base::Error& error) {
    cli::usage_error(error.what());
  }
}

hub::Selection selection(const cli::Arguments& arguments) {
  hub::Selection selection;
  selection.all = arguments.has("all");
  if (!arguments.has("include")) return selection;
  if (selection.all) cli::usage_error("--all and --include exclude each other");
  selection.include = base::split(arguments.text("include"), ',');
  for (const std::string& pattern : selection.include)
    if (pattern.empty()) cli::usage_error("--include has an empty pattern");
  return selection;
}

nlohmann::ordered_json describe(const hub::Pulled& pulled) {
  nlohmann::ordered_json json = {{"model", pulled.repo.id},
                                 {"revision", pulled.repo.revision},
                                 {"commit", pulled.commit},
                                 {"path", pulled.path.string()},
                                 {"downloaded_bytes", pulled.downloaded},
                                 {"files", nlohmann::ordered_json::array()}};
  for (const hub::Pulled::File& file : pulled.files)
    json["files"].push_back({{"name", file.name},
                             {"path", file.path.string()},
                             {"bytes", file.size},
                             {"cached", file.cached}});
  return json;
}

int run(const cli::Arguments& arguments) {
  const hub::Repo wanted = repo(arguments);
  const hub::Selection files = selection(arguments);
  cli::Output json(arguments, "json");
  const bool quiet = arguments.has("quiet");
  cli::watch_interrupts();
  cli::HubProgress progress(quiet);
  hub::Pulled pulled;
  try {
    pulled = hub::pull(wanted, files, hub::Settings::from_environment(), progress);
  } catch (const hub::Interrupted&) {
    progress.hide();
    std::cerr << "interrupted; the same command goes on from here\n";
    return cli::interrupted_status();
  }
  progress.hide();
  if (!quiet)
    std::cerr << pulled.files.size() << (pulled.files.size() == 1 ? " file, " : " files, ")
              << (pulled.downloaded > 0 ? base::bytes(pulled.downloaded) + " downloaded\n"
                                        : "nothing to download\n");
  if (!json.is_stdout()) std::cout << pulled.path.string() << "\n";
  json.write(base::json_text(describe(pulled), 1) + "\n");
  json.close();
  return 0;
}

}  // namespace

Command pull_command() { return {"pull", "download a model from a hub", options, run}; }
