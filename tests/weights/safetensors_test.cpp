#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/temp_dir.h"

#include <fstream>
#include <sys/stat.h>

#include <ATen/ATen.h>

#include <vit/weights/files/safetensors.h>

using Catch::ContainsSubstring;

TEST_CASE("safetensors files written are read back, aligned and without copies") {
  test::TempDir folder;
  const auto path = folder / "x.safetensors";
  vit::StateDict tensors{
      {"a", at::arange(3, at::kByte)},         {"b", at::randn({2, 3}).t()},
      {"c", at::randn({5}, at::kDouble)},      {"d", at::ones({0, 4}, at::kHalf)},
      {"e", at::full({}, 2.5, at::kBFloat16)}, {"f", at::ones({2}, at::kBool).expand({3, 2})},
      {"g", at::arange(4, at::kLong)},
  };
  vit::write_safetensors(path, tensors, {{"format", "pt"}});
  const auto read = vit::read_safetensors(path);
  REQUIRE(read.size() == tensors.size());
  for (const auto& [name, tensor] : tensors) {
    INFO(name);
    CHECK(read.at(name).scalar_type() == tensor.scalar_type());
    CHECK(test::same(read.at(name), tensor));
    CHECK(read.at(name).is_contiguous());
  }

  // What is written to a mapped tensor stays in this process.
  read.at("c").fill_(7);
  CHECK(test::same(vit::read_safetensors(path).at("c"), tensors.at("c")));
  // One tensor keeps the file mapped, even when its name is gone.
  auto kept = vit::read_safetensors(path).at("g");
  std::filesystem::remove(path);
  CHECK(test::same(kept, tensors.at("g")));
}

TEST_CASE("writing a safetensors file replaces the old one or leaves it alone") {
  test::TempDir folder;
  const auto path = folder / "x.safetensors";
  vit::write_safetensors(path, {{"a", at::ones({2})}});
  CHECK_THROWS_WITH(vit::write_safetensors(path, {{"bad \xFF", at::ones({1})}}),
                    ContainsSubstring("not UTF-8"));
  CHECK_THROWS_WITH(vit::write_safetensors(path, {{"__metadata__", at::ones({1})}}),
                    ContainsSubstring("reserved"));
  CHECK_THROWS_WITH(vit::write_safetensors(path, {{"s", at::eye(2).to_sparse()}}),
                    ContainsSubstring("tensor \"s\""));
  CHECK_THROWS_WITH(vit::write_safetensors(path, {{"u", at::Tensor()}}),
                    ContainsSubstring("undefined"));
  CHECK(vit::read_safetensors(path).contains("a"));
  vit::write_safetensors(path, {{"b", at::ones({2})}});
  CHECK(vit::read_safetensors(path).contains("b"));
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);

  CHECK_THROWS_WITH(vit::write_safetensors(folder / "no" / "x", {}),
                    ContainsSubstring("cannot create"));
}

TEST_CASE("only regular files are read") {
  test::TempDir folder;
  CHECK_THROWS_WITH(vit::read_safetensors(folder / "absent"), ContainsSubstring("No such file"));
  CHECK_THROWS_WITH(vit::read_safetensors(folder.path()), ContainsSubstring("not a regular file"));
  CHECK_THROWS_WITH(vit::read_safetensors("/dev/zero"), ContainsSubstring("not a regular file"));
  const auto fifo = folder / "fifo";
  REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
  CHECK_THROWS_WITH(vit::read_safetensors(fifo), ContainsSubstring("not a regular file"));
}

TEST_CASE("safetensors files with numbers of less than a byte, and of eight bits of all kinds") {
  const test::TempDir folder;
  const auto path = folder / "x.safetensors";
  const auto read = [&](const std::string& dtype, const std::string& shape, size_t bytes) {
    const std::string header = R"({"a":{"dtype":")" + dtype + R"(","shape":)" + shape +
                               R"(,"data_offsets":[0,)" + std::to_string(bytes) + "]}}";
    const uint64_t length = header.size();
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(&length), sizeof(length));
    file << header << std::string(bytes, '\x12');
    file.close();
    return vit::read_safetensors(path).at("a");
  };
  struct Case {
    const char* dtype;
    const char* shape;
    size_t bytes;
    at::ScalarType type;
    std::vector<int64_t> read_shape;
  };
  for (const auto& [dtype, shape, bytes, type, read_shape] :
       std::vector<Case>{{"F8_E8M0", "[2,3]", 6, at::kFloat8_e8m0fnu, {2, 3}},
                         {"F8_E4M3FNUZ", "[2,3]", 6, at::kFloat8_e4m3fnuz, {2, 3}},
                         {"F8_E5M2FNUZ", "[6]", 6, at::kFloat8_e5m2fnuz, {6}},
                         {"F4", "[3,4]", 6, at::kFloat4_e2m1fn_x2, {3, 2}},
                         {"F4", "[4,3]", 6, at::kBits8, {6}},
                         {"F6_E2M3", "[2,4]", 6, at::kBits8, {6}},
                         {"F6_E3M2", "[8]", 6, at::kBits8, {6}},
                         {"F4", "[0]", 0, at::kFloat4_e2m1fn_x2, {0}}}) {
    CAPTURE(dtype, shape);
    const auto tensor = read(dtype, shape, bytes);
    CHECK(tensor.scalar_type() == type);
    CHECK(tensor.sizes() == at::IntArrayRef(read_shape));
  }
  CHECK_THROWS_WITH(read("F4", "[3]", 2), ContainsSubstring("end inside a byte"));
  CHECK_THROWS_WITH(read("F6_E2M3", "[4]", 2), ContainsSubstring("need 3"));
  CHECK_THROWS_WITH(read("F4", "[4611686018427387904]", 2), ContainsSubstring("overflows"));
  CHECK_THROWS_WITH(read("F8_E5M2FNUZ", "[3]", 2), ContainsSubstring("need 3"));
}
