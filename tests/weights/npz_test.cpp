// NumPy archives: byte orders, types that NumPy has no letters for, names, and checksums of what is
// not compressed.
#include "tests/support/catch.h"
#include "tests/support/check_same.h"
#include "tests/support/compare.h"
#include "tests/support/data.h"
#include "tests/support/temp_dir.h"

#include <cstring>
#include <fstream>
#include <string>
#include <zlib.h>

#include <ATen/ATen.h>

#include <vit/weights/files/read.h>
#include <vit/weights/files/safetensors.h>

using Catch::ContainsSubstring;

namespace {

template <typename T>
std::string bytes_of(T number) {
  std::string bytes(sizeof(T), '\0');
  std::memcpy(bytes.data(), &number, sizeof(T));
  return bytes;
}

template <typename T>
std::string swapped_bytes_of(T number) {
  const auto bytes = bytes_of(number);
  return {bytes.rbegin(), bytes.rend()};
}

/// A member in the .npy format, of one dim.
std::string array(const std::string& descr, size_t elements, const std::string& data) {
  std::string header = "{'descr': '" + descr + "', 'fortran_order': False, 'shape': (" +
                       std::to_string(elements) + ",), }\n";
  return "\x93NUMPY\x01" + std::string(1, '\0') + bytes_of(static_cast<uint16_t>(header.size())) +
         header + data;
}

/// An archive of one stored member.
std::string archive(const std::string& name, const std::string& member, uint32_t crc) {
  const auto size = bytes_of(static_cast<uint32_t>(member.size()));
  const std::string shared = std::string(2, '\0') + std::string(2, '\0') + std::string(4, '\0') +
                             bytes_of(crc) + size + size +
                             bytes_of(static_cast<uint16_t>(name.size())) + std::string(2, '\0');
  const std::string version = bytes_of(uint16_t{20});
  const std::string local = "PK\x03\x04" + version + shared + name + member;
  const std::string central =
      "PK\x01\x02" + version + version + shared + std::string(14, '\0') + name;
  return local + central + "PK\x05\x06" + std::string(4, '\0') + bytes_of(uint16_t{1}) +
         bytes_of(uint16_t{1}) + bytes_of(static_cast<uint32_t>(central.size())) +
         bytes_of(static_cast<uint32_t>(local.size())) + std::string(2, '\0');
}

vit::StateDict read(const std::string& bytes, const char* name = "x.npz") {
  const test::TempDir folder;
  const auto path = folder / name;
  std::ofstream(path, std::ios::binary) << bytes;
  return vit::read_weights(path);
}

at::Tensor read_array(const std::string& descr, size_t elements, const std::string& data) {
  return read(archive("a.npy", array(descr, elements, data), 0)).at("a");
}

}  // namespace

TEST_CASE("npz: numbers of either byte order") {
  CHECK(test::same(read_array("<f4", 2, bytes_of(1.5f) + bytes_of(-2.0f)),
                   at::tensor({1.5f, -2.0f})));
  CHECK(test::same(read_array(">f4", 2, swapped_bytes_of(1.5f) + swapped_bytes_of(-2.0f)),
                   at::tensor({1.5f, -2.0f})));
  CHECK(test::same(read_array(">f8", 1, swapped_bytes_of(0.1)), at::tensor({0.1}, at::kDouble)));
  CHECK(test::same(read_array(">i2", 1, swapped_bytes_of(int16_t{-3})),
                   at::tensor({-3}, at::kShort)));
  CHECK(at::equal(read_array(">c8", 1, swapped_bytes_of(1.0f) + swapped_bytes_of(2.0f)),
                  at::complex(at::tensor({1.0f}), at::tensor({2.0f}))));
  CHECK(read_array(">f4", 0, "").sizes() == at::IntArrayRef({0}));
  for (const char* descr : {"|f4", ">u1", "<U1", "|O", "f4", "", "<", ">V2"}) {
    CAPTURE(descr);
    CHECK_THROWS_WITH(read_array(descr, 1, "abcd"), ContainsSubstring("\"a.npy\""));
  }
}

TEST_CASE("npz: what JAX writes without a type") {
  const std::string one("\x80\x3F", 2);  // bfloat16 1
  for (const char* descr : {"<V2", "|V2"})
    CHECK(test::same(read_array(descr, 1, one), at::ones({1}, at::kBFloat16)));
  CHECK(read_array("<V1", 2, "ab").scalar_type() == at::kBits8);
  CHECK(read_array("<f1", 2, "ab").scalar_type() == at::kFloat8_e5m2);
}

TEST_CASE("names of tensors are UTF-8") {
  const auto member = array("<f4", 1, bytes_of(1.0f));
  CHECK(read(archive("n\xC3\xA4me.npy", member, 0)).contains("näme"));
  for (const std::string name : {"\xFF", "a\xC3", "\xED\xA0\x80", "\xC0\x80", "\xF4\x90\x80\x80"})
    CHECK_THROWS_WITH(read(archive(name + ".npy", member, 0)),
                      ContainsSubstring("x.npz: a tensor has a name of ") &&
                          ContainsSubstring("that are not UTF-8"));

  // In pickles they are any bytes.
  std::ifstream file(test::data("torch/protocol_1.bin"), std::ios::binary);
  std::string bytes(std::istreambuf_iterator<char>(file), {});
  const auto at = bytes.find("cls_token");
  REQUIRE(at != bytes.npos);
  const test::TempDir folder;
  std::ofstream(folder / "x.pth", std::ios::binary) << bytes.replace(at, 3, "cl\xFF");
  CHECK_THROWS_WITH(vit::read_weights(folder / "x.pth"), ContainsSubstring("not UTF-8"));
}

TEST_CASE("checksums of stored members are checked, 0 is none") {
  const auto member = array("<f4", 1, bytes_of(1.0f));
  const auto crc = static_cast<uint32_t>(
      crc32(0, reinterpret_cast<const Bytef*>(member.data()), static_cast<uInt>(member.size())));
  CHECK(read(archive("a.npy", member, crc)).contains("a"));
  CHECK_THROWS_WITH(read(archive("a.npy", member, crc ^ 1)),
                    ContainsSubstring("x.npz: the entry \"a.npy\" has a wrong checksum"));

  // Other archives are known by what is in them.
  CHECK_THROWS_WITH(read(archive("m/archive_format", "pt2", 0), "x.pt2"),
                    ContainsSubstring("a program that torch.export wrote"));

  // A flipped bit in the numbers of a PyTorch file.
  std::ifstream file(test::data("torch/ddp.pth"), std::ios::binary);
  const std::string good(std::istreambuf_iterator<char>(file), {});
  const auto weights =
      vit::read_safetensors(test::data("hostile/config/timm_valid/model.safetensors"));
  for (const char* name : {"head.weight", "norm.bias"}) {
    const auto& tensor = weights.at(name);
    auto bytes = good;
    const auto at = bytes.find(
        std::string_view(static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes()));
    REQUIRE(at != bytes.npos);
    bytes[at] = static_cast<char>(bytes[at] ^ 1);
    const test::TempDir folder;
    std::ofstream(folder / "x.pth", std::ios::binary) << bytes;
    CHECK_THROWS_WITH(vit::read_weights(folder / "x.pth"), ContainsSubstring("wrong checksum"));
  }
}
