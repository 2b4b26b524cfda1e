#include "tests/fuzz/targets.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <stdexcept>

#include <ATen/ATen.h>

#include <data/tar.h>
#include <vit/error.h>
#include <vit/weights/config_json.h>
#include <vit/weights/files/npy_header.h>
#include <vit/weights/files/npz.h>
#include <vit/weights/files/safetensors_format.h>
#include <vit/weights/files/shard_index.h>
#include <vit/weights/files/torch_file.h>
#include <vit/weights/files/torch_pickle.h>
#include <vit/weights/files/zip.h>
#include <vit/weights/mapped_file.h>

namespace fuzz {
namespace {

using vit::MappedFile;

/// Reads the ends of every tensor: sanitizers see if they are not in the file.
void touch(const vit::StateDict& tensors) {
  int sum = 0;
  for (const auto& [name, tensor] : tensors) {
    if (tensor.numel() == 0) continue;
    int64_t last = 0;
    for (int64_t i = 0; i < tensor.dim(); ++i) last += (tensor.size(i) - 1) * tensor.stride(i);
    const auto* bytes = static_cast<const uint8_t*>(tensor.const_data_ptr());
    sum += bytes[0] + bytes[(last + 1) * static_cast<int64_t>(tensor.element_size()) - 1];
  }
  volatile int sink = sum;
  static_cast<void>(sink);
}

void read_safetensors(std::string_view input) {
  touch(vit::read_safetensors(MappedFile::in_memory("input.safetensors", input)));
}

/// An index, and after a NUL a line for each shard: its name and those of its tensors.
void read_shards(std::string_view input) {
  const auto index = input.substr(0, input.find('\0'));
  auto rest = input.substr(std::min(input.size(), index.size() + 1));
  std::map<std::string, vit::StateDict, std::less<>> shards;
  while (!rest.empty()) {
    auto line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    vit::StateDict* shard = nullptr;
    while (!line.empty()) {
      const auto word = line.substr(0, line.find(' '));
      line.remove_prefix(std::min(line.size(), word.size() + 1));
      if (shard)
        shard->emplace(word, at::Tensor());
      else
        shard = &shards[std::string(word)];
    }
  }
  vit::read_shards(
      *MappedFile::in_memory("model.safetensors.index.json", index), [&](const std::string& name) {
        if (name.empty() || name.find_first_of(std::string_view("/\\\0", 3)) != name.npos)
          std::abort();  // a shard outside the folder
        const auto shard = shards.find(name);
        return shard == shards.end() ? vit::StateDict() : shard->second;
      });
}

void read_torch_zip(std::string_view input) {
  touch(vit::read_torch_zip(vit::ZipArchive(MappedFile::in_memory("input.pth", input))));
}

void read_torch_legacy(std::string_view input) {
  touch(vit::read_torch_legacy(MappedFile::in_memory("input.pth", input)));
}

/// The pickle of a checkpoint without its container; storages are zeros.
void read_pickle(std::string_view input) {
  vit::TorchWorld world("data.pkl");
  vit::PickleMachine machine(input, "data.pkl", world);
  const auto root = machine.run();
  const auto zeros = [](const vit::TorchStorage& storage) {
    constexpr int64_t kMaxBytes = 1 << 16;
    if (storage.bytes() > kMaxBytes) vit::fail("the storage is not there");
    return at::zeros({storage.elements}, storage.dtype);
  };
  touch(world.state_dict(machine, root, zeros));
}

void read_zip(std::string_view input) {
  const vit::ZipArchive archive(MappedFile::in_memory("input.zip", input));
  constexpr size_t kMaxText = 1 << 20;
  for (const auto& [name, entry] : archive.entries())
    vit::read_zip_text(archive, name, entry, kMaxText);
}

void read_npz(std::string_view input) {
  touch(vit::read_npz(vit::ZipArchive(MappedFile::in_memory("input.npz", input))));
}

void read_npy_header(std::string_view input) { vit::parse_npy_header(input, "input.npy"); }

/// A config.json, and after a NUL its preprocessor_config.json.
void read_config(std::string_view input) {
  const auto config = input.substr(0, input.find('\0'));
  const auto file = MappedFile::in_memory("config.json", config);
  if (config.size() == input.size()) {
    vit::read_config(*file, nullptr);
    return;
  }
  const auto preprocessor =
      MappedFile::in_memory("preprocessor_config.json", input.substr(config.size() + 1));
  vit::read_config(*file, preprocessor.get());
}

class MemorySource : public data::ByteSource {
 public:
  explicit MemorySource(std::string_view bytes) : ByteSource("input.tar"), bytes_(bytes) {}

  uint64_t size() const override { return bytes_.size(); }
  void read(uint64_t offset, void* bytes, std::size_t count) const override {
    if (offset > bytes_.size() || count > bytes_.size() - offset) std::abort();
    std::copy_n(bytes_.data() + offset, count, static_cast<char*>(bytes));
  }

 private:
  std::string_view bytes_;
};

void read_tar(std::string_view input) {
  for (const auto& member : data::list_tar(MemorySource(input)))
    if (member.offset > input.size() || member.size > input.size() - member.offset)
      std::abort();  // contents outside the archive
}

}  // namespace

const std::vector<Target>& targets() {
  static const std::vector<Target> all = [] {
    std::vector<Target> list{
        {"checkpoint", read_checkpoint},
        {"config", read_config},
        {"npy_header", read_npy_header},
        {"npz", read_npz},
        {"pickle", read_pickle},
        {"safetensors", read_safetensors},
        {"shards", read_shards},
        {"tar", read_tar},
        {"torch_legacy", read_torch_legacy},
        {"torch_zip", read_torch_zip},
        {"zip", read_zip},
    };
    const auto pictures = picture_targets();
    list.insert(list.end(), pictures.begin(), pictures.end());
    return list;
  }();
  return all;
}

Read find_target(std::string_view name) {
  std::string names;
  for (const auto& target : targets()) {
    if (name == target.name) return target.read;
    names += std::string(" ") + target.name;
  }
  throw std::invalid_argument("no target \"" + std::string(name) + "\"; there are" + names);
}

}  // namespace fuzz
