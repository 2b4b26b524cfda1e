#include "tests/hub/tls.h"

#include <csignal>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

namespace test {
namespace {

template <typename T, void (*free)(T*)>
struct Freed {
  void operator()(T* object) const { free(object); }
};
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY, EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509, X509_free>>;

void check(bool good) {
  if (!good) throw std::runtime_error("OpenSSL makes no certificate");
}

Key make_key() {
  EVP_PKEY* key = EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256");
  check(key);
  return Key(key);
}

Certificate make_certificate(EVP_PKEY* key, const std::string& name, int serial) {
  Certificate certificate(X509_new());
  check(X509_set_version(certificate.get(), X509_VERSION_3) == 1);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), serial);
  constexpr long kDay = 24 * 60 * 60;
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -kDay);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), kDay);
  check(X509_set_pubkey(certificate.get(), key) == 1);
  check(X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_ASC,
                                   reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1,
                                   0) == 1);
  return certificate;
}

void extend(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
  check(extension && X509_add_ext(certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

void sign(X509* certificate, X509* issuer, EVP_PKEY* key) {
  check(X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1);
  check(X509_sign(certificate, key, EVP_sha256()) > 0);
}

std::string pem(X509* certificate) {
  const std::unique_ptr<BIO, int (*)(BIO*)> memory(BIO_new(BIO_s_mem()), BIO_free);
  check(PEM_write_bio_X509(memory.get(), certificate) == 1);
  char* text = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

}  // namespace

Tls::Tls(const std::string& address) {
  const Key authority_key = make_key(), server_key = make_key();
  const Certificate authority = make_certificate(authority_key.get(), "Test authority", 1);
  extend(authority.get(), authority.get(), NID_basic_constraints, "critical,CA:TRUE");
  extend(authority.get(), authority.get(), NID_key_usage, "critical,keyCertSign");
  sign(authority.get(), authority.get(), authority_key.get());
  const Certificate server = make_certificate(server_key.get(), "Test server", 2);
  extend(server.get(), authority.get(), NID_subject_alt_name, "IP:" + address);
  sign(server.get(), authority.get(), authority_key.get());

  authority_ = pem(authority.get());
  server_ = SSL_CTX_new(TLS_server_method());
  check(server_ && SSL_CTX_use_certificate(server_, server.get()) == 1 &&
        SSL_CTX_use_PrivateKey(server_, server_key.get()) == 1);
}

Tls::~Tls() { SSL_CTX_free(server_); }

Connection::Connection(int descriptor, ssl_ctx_st* tls) : descriptor_(descriptor) {
  if (!tls) return;
  // OpenSSL writes without MSG_NOSIGNAL, and clients may hang up.
  sigset_t pipe;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  ssl_ = SSL_new(tls);
  good_ = ssl_ && SSL_set_fd(ssl_, descriptor_) == 1 && SSL_accept(ssl_) == 1;
}

Connection::~Connection() {
  if (ssl_ && good_) SSL_shutdown(ssl_);
  SSL_free(ssl_);
  close(descriptor_);
}

bool Connection::receive(char& byte) {
  if (ssl_) return good_ && SSL_read(ssl_, &byte, 1) == 1;
  return recv(descriptor_, &byte, 1, 0) == 1;
}

bool Connection::send_all(const char* data, std::size_t size) {
  for (std::size_t sent = 0; sent < size;) {
    std::size_t count = 0;
    if (ssl_) {
      if (SSL_write_ex(ssl_, data + sent, size - sent, &count) != 1) good_ = false;
    } else {
      const ssize_t done = send(descriptor_, data + sent, size - sent, MSG_NOSIGNAL);
      count = done > 0 ? static_cast<std::size_t>(done) : 0;
    }
    if (count == 0) return false;
    sent += count;
  }
  return true;
}

bool Connection::is_closed() const {
  char byte = 0;
  return recv(descriptor_, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
}

}  // namespace test
