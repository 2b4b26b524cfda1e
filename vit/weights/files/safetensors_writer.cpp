#include <algorithm>
#include <vector>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include <base/temporary_file.h>
#include <vit/error.h>
#include <vit/weights/files/safetensors.h>
#include <vit/weights/files/safetensors_format.h>

namespace vit {
namespace {

const char* dtype_name(const at::Tensor& tensor, const std::string& where) {
  for (const auto& [name, type] : kSafetensorsDtypes)
    if (tensor.layout() == at::kStrided && tensor.scalar_type() == type) return name;
  fail(where, ": the safetensors format has no ", tensor.layout(), " tensors of dtype ",
       tensor.scalar_type());
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, const StateDict& tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<StateDict::const_pointer> order;
  for (const auto& item : tensors) order.push_back(&item);
  std::stable_sort(order.begin(), order.end(), [](auto* a, auto* b) {
    return a->second.element_size() > b->second.element_size();
  });

  auto header = nlohmann::json::object();
  if (!metadata.empty()) header[kSafetensorsMetadata] = metadata;
  size_t offset = 0;
  for (const auto* item : order) {
    const auto& [name, tensor] = *item;
    const std::string where = path.string() + ": tensor \"" + name + "\"";
    if (name == kSafetensorsMetadata) fail(where, ": this name is reserved by the format");
    if (!tensor.defined()) fail(where, ": is undefined");
    header[name] = {{"dtype", dtype_name(tensor, where)},
                    {"shape", tensor.sizes().vec()},
                    {"data_offsets", {offset, offset + tensor.nbytes()}}};
    offset += tensor.nbytes();
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const nlohmann::json::exception&) {
    fail(path.string(), ": a tensor name or metadata text is not UTF-8");
  }
  text.append((8 - text.size() % 8) % 8, ' ');  // so that the data is aligned in the mapped file
  const uint64_t length = text.size();
  if (length > uint64_t{kSafetensorsMaxHeader})
    fail(path.string(), ": the header would have ", length, " bytes, above the format's limit of ",
         kSafetensorsMaxHeader);

  base::TemporaryFile file(path);
  file.write(&length, sizeof(length));
  file.write(text.data(), text.size());
  for (const auto* item : order) {
    const auto tensor =
        item->second.detach().to(at::kCPU).resolve_conj().resolve_neg().contiguous();
    file.write(tensor.const_data_ptr(), tensor.nbytes());
  }
  file.move_to_target();
}

}  // namespace vit
