#include <string>

#include <ATen/ATen.h>

#include <base/error.h>
#include <base/json.h>
#include <train/checkpoint.h>
#include <vit/weights/files/read.h>
#include <vit/weights/files/safetensors.h>
#include <vit/weights/files/text_tensor.h>

namespace train {
namespace {

constexpr char kState[] = "state.json";  // a tensor of the bytes of a document

EpochResult epoch_result(const nlohmann::ordered_json& json) {
  EpochResult result;
  json.at("epoch").get_to(result.epoch);
  json.at("loss").get_to(result.loss);
  json.at("lr").get_to(result.rate);
  json.at("seconds").get_to(result.seconds);
  json.at("pictures").get_to(result.pictures);
  json.at("unreadable").get_to(result.unreadable);
  json.at("validation_loss").get_to(result.validation_loss);
  json.at("score").get_to(result.score);
  return result;
}

}  // namespace

Progress progress_of(const nlohmann::ordered_json& json) {
  Progress progress;
  json.at("epoch").get_to(progress.epoch);
  json.at("step_in_epoch").get_to(progress.step_in_epoch);
  json.at("step").get_to(progress.step);
  progress.current = epoch_result(json.at("current"));
  for (const auto& row : json.at("history")) progress.history.push_back(epoch_result(row));
  json.at("best_epoch").get_to(progress.best_epoch);
  json.at("best_score").get_to(progress.best_score);
  return progress;
}

nlohmann::ordered_json to_json(const EpochResult& result) {
  return {{"epoch", result.epoch},       {"loss", result.loss},
          {"lr", result.rate},           {"seconds", result.seconds},
          {"pictures", result.pictures}, {"unreadable", result.unreadable},
          {"score", result.score},       {"validation_loss", result.validation_loss}};
}

nlohmann::ordered_json to_json(const Progress& progress) {
  nlohmann::ordered_json history = nlohmann::ordered_json::array();
  for (const EpochResult& result : progress.history) history.push_back(to_json(result));
  return {{"epoch", progress.epoch},
          {"step_in_epoch", progress.step_in_epoch},
          {"step", progress.step},
          {"best_epoch", progress.best_epoch},
          {"best_score", progress.best_score},
          {"current", to_json(progress.current)},
          {"history", history}};
}

std::string json_text(const Progress& progress) { return to_json(progress).dump(); }

void write_checkpoint(const std::filesystem::path& file, const Checkpoint& checkpoint) {
  const nlohmann::ordered_json document{{"version", 1},
                                        {"progress", to_json(checkpoint.progress)},
                                        {"settings", checkpoint.settings},
                                        {"data", checkpoint.data}};
  const std::string text = document.dump();
  vit::StateDict tensors = checkpoint.tensors;
  tensors[kState] = vit::text_tensor(text);
  vit::write_safetensors(file, tensors, {{"format", "vitome-checkpoint"}});
}

Checkpoint read_checkpoint(const std::filesystem::path& file) {
  Checkpoint checkpoint;
  checkpoint.tensors = vit::read_weights(file);
  const auto text = vit::text_of(checkpoint.tensors, kState);
  if (!text) base::fail(file.string(), ": is no checkpoint of a training run: it has no ", kState);
  checkpoint.tensors.erase(kState);
  try {
    const auto document = nlohmann::ordered_json::parse(*text);
    if (document.at("version") != 1)
      base::fail(file.string(), ": was written by another version of vitome");
    checkpoint.progress = progress_of(document.at("progress"));
    checkpoint.settings = document.at("settings");
    checkpoint.data = document.at("data");
  } catch (const nlohmann::json::exception& error) {
    base::fail(file.string(), ": ", kState, " is damaged: ", error.what());
  }
  return checkpoint;
}

}  // namespace train
