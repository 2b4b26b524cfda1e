#include <algorithm>
#include <cstring>
#include <tuple>
#include <vector>

#include <vit/error.h>
#include <vit/weights/files/mapped_tensor.h>
#include <vit/weights/files/safetensors.h>
#include <vit/weights/files/safetensors_format.h>
#include <vit/weights/json.h>
#include <vit/weights/mapped_file.h>
#include <vit/weights/shape.h>
#include <vit/weights/text.h>

namespace vit {
namespace {

struct Entry {
  std::string name;
  at::ScalarType dtype;
  std::vector<int64_t> shape;
  int64_t begin;
  int64_t end;
};

at::ScalarType parse_dtype(const JsonNode& node) {
  for (const auto& [name, type] : kSafetensorsDtypes)
    if (node.string() == name) return type;
  node.fail("unsupported dtype \"", shortened(node.string()), "\"");
}

/// Shape and type of the bytes of numbers that have less than one each.
void parse_packed(const JsonNode& node, const PackedSafetensorsDtype& dtype, Entry& entry) {
  const auto bits = checked_bytes(entry.shape, dtype.bits);
  if (!bits) node.fail("a shape of ", shape_text(entry.shape), " overflows");
  if (*bits % 8)
    node.fail("a shape of ", shape_text(entry.shape), " and dtype ", dtype.name,
              " end inside a byte");
  if (entry.end - entry.begin != *bits / 8)
    node.fail("the offsets span ", entry.end - entry.begin, " bytes, but shape ",
              shape_text(entry.shape), " and dtype need ", *bits / 8);
  const int64_t of_byte = 8 / dtype.bits;
  entry.dtype = dtype.type;
  if (of_byte > 1 && !entry.shape.empty() && entry.shape.back() % of_byte == 0) {
    entry.shape.back() /= of_byte;
  } else {
    entry.dtype = at::kBits8;
    entry.shape = {*bits / 8};
  }
}

Entry parse_entry(const std::string& name, const JsonNode& node) {
  Entry entry{.name = name, .dtype = at::kByte, .shape = {}, .begin = 0, .end = 0};
  const auto shape = node.at("shape").elements();
  constexpr size_t kMaxDims = 64;  // of the operators of LibTorch
  if (shape.size() > kMaxDims) node.fail(shape.size(), " dims, expected at most ", kMaxDims);
  for (const auto& dim : shape) entry.shape.push_back(dim.integer(0, INT64_MAX));
  const auto offsets = node.at("data_offsets").elements();
  if (offsets.size() != 2)
    node.fail("data_offsets has ", offsets.size(), " numbers, expected begin and end");
  entry.begin = offsets[0].integer(0, INT64_MAX);
  entry.end = offsets[1].integer(entry.begin, INT64_MAX);

  const auto dtype = node.at("dtype");
  for (const auto& packed : kPackedSafetensorsDtypes)
    if (dtype.string() == packed.name) {
      parse_packed(node, packed, entry);
      return entry;
    }
  entry.dtype = parse_dtype(dtype);
  const auto bytes = checked_bytes(entry.shape, c10::elementSize(entry.dtype));
  if (!bytes) node.fail("a shape of ", shape_text(entry.shape), " overflows");
  if (*bytes != entry.end - entry.begin)
    node.fail("the offsets span ", entry.end - entry.begin, " bytes, but shape ",
              shape_text(entry.shape), " and dtype need ", *bytes);
  return entry;
}

// The JSON text of the header.
std::string_view header_text(const MappedFile& file) {
  const std::string where = file.path().string();
  uint64_t length = 0;
  if (file.size() < sizeof(length))
    fail(where, ": ", file.size(), " bytes are too few for a safetensors file");
  std::memcpy(&length, file.text().data(), sizeof(length));  // little-endian, as all targets are
  if (length > uint64_t{kSafetensorsMaxHeader})
    fail(where, ": the header claims ", length, " bytes, above the format's limit of ",
         kSafetensorsMaxHeader, "; is this a safetensors file?");
  if (length > file.size() - sizeof(length))
    fail(where, ": the header claims ", length, " bytes, but only ", file.size() - sizeof(length),
         " follow; is the download complete?");
  const auto text = file.text().substr(sizeof(length), length);
  if (!text.starts_with('{')) fail(where, ": the header does not begin with {");
  return text;
}

void check_metadata(const JsonNode& node) {
  for (const auto& [key, value] : node.members()) value.string();
}

}  // namespace

StateDict read_safetensors(const std::filesystem::path& path) {
  return read_safetensors(MappedFile::open(path));
}

StateDict read_safetensors(const std::shared_ptr<MappedFile>& file) {
  const std::string where = file->path().string();
  const auto text = header_text(*file);
  const auto header = parse_json(text, where + ": header");

  std::vector<Entry> entries;
  entries.reserve(header.size());
  for (const auto& [name, node] : JsonNode(header, where).members()) {
    if (name == kSafetensorsMetadata)
      check_metadata(node);
    else
      entries.push_back(parse_entry(name, node));
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
  });

  const size_t data_offset = sizeof(uint64_t) + text.size();
  const auto data_bytes = static_cast<int64_t>(file->size() - data_offset);
  int64_t position = 0;
  for (const auto& entry : entries) {
    if (entry.begin != position)
      fail(where, ": tensor \"", shortened(entry.name), "\" begins at byte ", entry.begin,
           " of the data, but ",
           entry.begin < position ? "the one before it ends at " : "there is a hole from ",
           position);
    position = entry.end;
  }
  if (position > data_bytes)
    fail(where, ": the tensors need ", position, " bytes of data, but the file has ", data_bytes,
         "; is the download complete?");
  if (position < data_bytes)
    fail(where, ": ", data_bytes - position, " bytes follow the last tensor");

  StateDict tensors;
  for (const auto& entry : entries)
    tensors.emplace(entry.name,
                    tensor_in(file, data_offset + entry.begin, entry.shape, entry.dtype));
  return tensors;
}

}  // namespace vit
