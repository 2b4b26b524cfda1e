#include <set>

#include <ATen/ATen.h>

#include <vit/error.h>
#include <vit/weights/files/bytes.h>
#include <vit/weights/files/mapped_tensor.h>
#include <vit/weights/files/torch_file.h>
#include <vit/weights/files/torch_pickle.h>
#include <vit/weights/text.h>

namespace vit {
namespace {

using Kind = PickleValue::Kind;

// 0x1950a86a20f9469cfc6c
constexpr std::string_view kMagic = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
constexpr std::string_view kMagicLine = "L119547037146038801333356L\n";
constexpr int64_t kProtocol = 1001;

/// Reads one of the pickles in front of the storages, `check` says whether it is as it must be.
template <typename Check>
void read_preamble(std::string_view& rest, const std::string& where, const char* what,
                   const Check& check) {
  TorchWorld world(where);
  PickleMachine machine(rest, where, world);
  const PickleRef object = machine.run();
  if (!check(machine, machine.value(object))) fail(where, ": no PyTorch checkpoint: ", what);
  rest.remove_prefix(machine.length());
}

/// The keys of the storages in the order in which they follow.
std::vector<std::string> read_keys(std::string_view& rest, const std::string& where) {
  std::vector<std::string> keys;
  read_preamble(rest, where, "no list of storages follows the pickle",
                [&](const PickleMachine& machine, const PickleValue& value) {
                  if (value.kind != Kind::list) return false;
                  for (const PickleRef ref : machine.sequence(value)) {
                    const auto& key = machine.value(ref);
                    constexpr int64_t kMaxKey = 64;
                    if (key.kind != Kind::text || key.number > kMaxKey) return false;
                    keys.emplace_back(machine.text(key));
                  }
                  return true;
                });
  return keys;
}

/// Where the bytes of each storage begin in the file.
std::map<std::string, size_t> find_storages(std::string_view text, size_t position,
                                            const std::vector<std::string>& keys,
                                            const TorchWorld& world, const std::string& where) {
  std::map<std::string, size_t> offsets;
  for (const auto& key : keys) {
    const auto* storage = world.find_storage(key);
    if (!storage) fail(where, ": the pickle does not know the storage \"", shortened(key), "\"");
    if (text.size() - position < sizeof(int64_t)) fail(where, ": the file ends too early");
    const auto elements = load_number<int64_t>(text.data() + position);
    position += sizeof(int64_t);
    if (elements != storage->announced)
      fail(where, ": the storage \"", key, "\" has ", elements, " elements, the pickle says ",
           storage->announced);
    const auto bytes = static_cast<uint64_t>(storage->bytes());
    if (bytes > text.size() - position)
      fail(where, ": the storage \"", key, "\" needs ", bytes, " bytes, but only ",
           text.size() - position, " follow; is the download complete?");
    if (!offsets.emplace(key, position).second)
      fail(where, ": the storage \"", key, "\" occurs twice");
    position += bytes;
  }
  return offsets;
}

}  // namespace

bool is_torch_legacy(std::string_view text) {
  // A pickle of the magic number: of protocol 2 and later, or as text.
  return text.starts_with("\x80") || text.starts_with(kMagicLine);
}

bool has_torch_magic(std::string_view text) {
  constexpr size_t kFirstPickle = 32;
  return text.starts_with(kMagicLine) ||
         (text.starts_with("\x80") && text.substr(0, kFirstPickle).find(kMagic) != text.npos);
}

StateDict read_torch_legacy(const std::shared_ptr<MappedFile>& file) {
  const std::string where = file->path().string();
  const std::string_view text = file->text();
  std::string_view rest = text;
  read_preamble(rest, where, "wrong magic number",
                [](const PickleMachine& machine, const PickleValue& value) {
                  return value.kind == Kind::big_integer && machine.text(value) == kMagic;
                });
  read_preamble(rest, where, "unknown protocol version",
                [](const PickleMachine&, const PickleValue& value) {
                  return value.kind == Kind::integer && value.number == kProtocol;
                });
  // Byte order and sizes of the machine that wrote it; torch stores little-endian always.
  read_preamble(
      rest, where, "no system information",
      [](const PickleMachine&, const PickleValue& value) { return value.kind == Kind::dict; });

  TorchWorld world(where);
  PickleMachine machine(rest, where, world);
  const PickleRef object = machine.run();
  rest.remove_prefix(machine.length());
  const auto keys = read_keys(rest, where);
  const auto offsets = find_storages(text, text.size() - rest.size(), keys, world, where);
  return world.state_dict(machine, object, [&](const TorchStorage& storage) {
    const auto offset = offsets.find(storage.key);
    if (offset == offsets.end()) fail(where, ": the storage \"", storage.key, "\" does not follow");
    return tensor_in(file, offset->second, {storage.elements}, storage.dtype);
  });
}

}  // namespace vit
