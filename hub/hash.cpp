#include <algorithm>
#include <array>
#include <new>
#include <openssl/evp.h>
#include <vector>

#include <base/error.h>
#include <hub/hash.h>

namespace hub {
namespace {

constexpr std::size_t kSha256Digits = 64;
constexpr std::size_t kSha1Digits = 40;

bool is_hexadecimal(const std::string& text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

class Digest {
 public:
  explicit Digest(const EVP_MD* type) : context_(EVP_MD_CTX_new()) {
    if (!context_) throw std::bad_alloc();
    check(EVP_DigestInit_ex(context_.get(), type, nullptr));
  }

  void update(const char* data, std::size_t size) {
    check(EVP_DigestUpdate(context_.get(), data, size));
  }

  std::string finish() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
    unsigned int size = 0;
    check(EVP_DigestFinal_ex(context_.get(), bytes.data(), &size));
    static constexpr const char* kDigits = "0123456789abcdef";
    std::string text;
    for (unsigned int i = 0; i < size; ++i)
      text += {kDigits[bytes.at(i) >> 4U], kDigits[bytes.at(i) & 0xFU]};
    return text;
  }

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };

  static void check(int success) {
    if (success != 1) base::fail("the OpenSSL library cannot calculate checksums here");
  }

  std::unique_ptr<EVP_MD_CTX, Free> context_;
};

}  // namespace

struct Checksum::Digests {
  std::vector<Digest> list;
};

Checksum::Checksum(const std::string& etag, std::optional<uint64_t> size)
    : expected_(etag), digests_(std::make_unique<Digests>()) {
  if (!is_hexadecimal(etag)) return;
  if (etag.size() == kSha256Digits) digests_->list.emplace_back(EVP_sha256());
  if (etag.size() == kSha1Digits && size) {
    const std::string head = "blob " + std::to_string(*size) + '\0';
    digests_->list.emplace_back(EVP_sha1());
    digests_->list.back().update(head.data(), head.size());
    digests_->list.emplace_back(
        EVP_sha1());  // mirrors of a hub may name files by their plain SHA-1
  }
}

Checksum::~Checksum() = default;
Checksum::Checksum(Checksum&&) noexcept = default;
Checksum& Checksum::operator=(Checksum&&) noexcept = default;

void Checksum::update(const char* data, std::size_t size) {
  for (Digest& digest : digests_->list) digest.update(data, size);
}

bool Checksum::matches() {
  return digests_->list.empty() ||
         std::any_of(digests_->list.begin(), digests_->list.end(),
                     [&](Digest& digest) { return digest.finish() == expected_; });
}

}  // namespace hub
