#include <algorithm>
#include <charconv>

#include <ATen/ATen.h>

#include <vit/error.h>
#include <vit/weights/files/torch_file.h>
#include <vit/weights/files/torch_pickle.h>
#include <vit/weights/text.h>

namespace vit {
namespace {

constexpr size_t kMaxPickle = size_t{1} << 30;

/// Everything of a checkpoint lies in one folder of any name: "archive/data.pkl" and so on.
std::string find_root(const ZipArchive& archive) {
  constexpr std::string_view kPickle = "/data.pkl";
  std::string root;
  for (const auto& [name, entry] : archive.entries()) {
    if (!name.ends_with(kPickle) || name.find('/') != name.size() - kPickle.size()) continue;
    if (!root.empty()) fail(archive.where(), ": two checkpoints in one archive");
    root = name.substr(0, name.size() - kPickle.size() + 1);
  }
  const auto is_of_export = [](const auto& item) {
    return item.first.ends_with("/archive_format");
  };
  if (root.empty() && std::ranges::any_of(archive.entries(), is_of_export))
    fail(archive.where(), ": a program that torch.export wrote; save model.state_dict() instead");
  if (root.empty())
    fail(archive.where(), ": a zip archive, but no PyTorch checkpoint: it has no data.pkl");
  return root;
}

/// The text of a small entry; nothing if it is not there.
std::optional<std::string> read_note(const ZipArchive& archive, const std::string& name) {
  constexpr size_t kMaxNote = 64;
  const auto* entry = archive.find(name);
  if (!entry) return std::nullopt;
  return read_zip_text(archive, name, *entry, kMaxNote);
}

void check_notes(const ZipArchive& archive, const std::string& root) {
  // torch had no note of the byte order before 2.1 and was little-endian on all usual machines.
  const auto order = read_note(archive, root + "byteorder").value_or("little");
  if (order != "little")
    fail(archive.where(), ": the byte order \"", shortened(order), "\" is not supported");
  const auto version = read_note(archive, root + "version");
  if (!version) return;
  constexpr int kNewest = 10;
  int number = 0;
  std::from_chars(version->data(), version->data() + version->size(), number);
  if (number < 1 || number > kNewest)
    fail(archive.where(), ": the format version \"", shortened(*version),
         "\" is unknown, expected 1 to ", kNewest);
}

}  // namespace

StateDict read_torch_zip(const ZipArchive& archive) {
  const std::string root = find_root(archive);
  check_notes(archive, root);
  const std::string pickle_name = root + "data.pkl";
  const auto pickle = read_zip_text(archive, pickle_name, *archive.find(pickle_name), kMaxPickle);

  TorchWorld world(archive.where());
  PickleMachine machine(pickle, archive.where(), world);
  const PickleRef object = machine.run();
  return world.state_dict(machine, object, [&](const TorchStorage& storage) {
    const std::string name = root + "data/" + storage.key;
    const auto* entry = archive.find(name);
    if (!entry) fail(archive.where(), ": the entry \"", name, "\" is missing");
    if (entry->size != static_cast<uint64_t>(storage.bytes()))
      fail(archive.where(), ": the entry \"", name, "\" has ", entry->size, " bytes, expected ",
           storage.bytes());
    return read_zip_tensor(archive, name, *entry, 0, {storage.elements}, storage.dtype);
  });
}

}  // namespace vit
