#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <random>
#include <unistd.h>
#include <vector>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include <vit/error.h>
#include <vit/weights/safetensors.h>
#include <vit/weights/safetensors_format.h>

namespace vit {
namespace {

// A new file beside its target, removed unless it is moved there.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::filesystem::path& target) : target_(target) {
    path_ = target;
    path_ += ".part-" + std::to_string(std::random_device{}());
    descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor_ < 0) fail_system("cannot create");
  }
  ~TemporaryFile() {
    if (descriptor_ < 0) return;
    ::close(descriptor_);
    ::unlink(path_.c_str());
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  void write(const void* data, size_t size) {
    const auto* bytes = static_cast<const char*>(data);
    while (size > 0) {
      const ssize_t written = ::write(descriptor_, bytes, size);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail_system("cannot write");
      bytes += written;
      size -= static_cast<size_t>(written);
    }
  }

  void move_to_target() {
    if (::fsync(descriptor_) != 0) fail_system("cannot write");
    if (::rename(path_.c_str(), target_.c_str()) != 0) fail_system("cannot replace");
    ::close(descriptor_);
    descriptor_ = -1;
  }

 private:
  [[noreturn]] void fail_system(const char* what) const {
    fail(target_.string(), ": ", what, ": ", std::strerror(errno));
  }

  std::filesystem::path target_;
  std::filesystem::path path_;
  int descriptor_ = -1;
};

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

  TemporaryFile file(path);
  file.write(&length, sizeof(length));
  file.write(text.data(), text.size());
  for (const auto* item : order) {
    const auto tensor = item->second.detach().to(at::kCPU).resolve_conj().contiguous();
    file.write(tensor.const_data_ptr(), tensor.nbytes());
  }
  file.move_to_target();
}

}  // namespace vit
