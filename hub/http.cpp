#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <curl/curl.h>
#include <exception>
#include <new>
#include <vector>

#include <base/text.h>
#include <hub/http.h>

namespace hub {
namespace {

constexpr long kReceiveBuffer = 512 * 1024;  // libcurl's largest
constexpr uint64_t kMaxErrorBody = 1 << 20;  // that is read, for the connection's sake
constexpr std::size_t kMaxHeaders = 256;     // that are kept
constexpr uint64_t kMaxHead = 256 * 1024;    // bytes of all headers of an answer

void check(CURLcode code) {
  if (code != CURLE_OK) base::fail("libcurl: ", curl_easy_strerror(code));
}

void start_curl() {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  check(started);
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return text;
}

std::string trimmed(std::string_view text) {
  constexpr std::string_view kSpaces = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kSpaces);
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(kSpaces) - first + 1));
}

// Keeps a connection that the other side has closed from ending the process: libcurl leaves that to
// us once it is told not to touch signal handlers, which belong to the whole process.
class NoBrokenPipe {
 public:
  NoBrokenPipe() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe_, &old_);
  }
  ~NoBrokenPipe() {
    const timespec now{0, 0};
    while (!was_pending_ && sigtimedwait(&pipe_, nullptr, &now) < 0 && errno == EINTR) {
    }
    pthread_sigmask(SIG_SETMASK, &old_, nullptr);
  }
  NoBrokenPipe(const NoBrokenPipe&) = delete;
  NoBrokenPipe& operator=(const NoBrokenPipe&) = delete;

 private:
  sigset_t pipe_{};
  sigset_t old_{};
  bool was_pending_ = false;
};

class HeaderList {
 public:
  ~HeaderList() { curl_slist_free_all(list_); }
  HeaderList() = default;
  HeaderList(const HeaderList&) = delete;
  HeaderList& operator=(const HeaderList&) = delete;

  void add(const std::string& line) {
    curl_slist* longer = curl_slist_append(list_, line.c_str());
    if (!longer) throw std::bad_alloc();
    list_ = longer;
  }
  curl_slist* get() const { return list_; }

 private:
  curl_slist* list_ = nullptr;
};

TransportError::Kind kind_of(CURLcode code, bool connected) {
  using Kind = TransportError::Kind;
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
      return Kind::unreachable;
    case CURLE_OPERATION_TIMEDOUT:
      return connected ? Kind::cut : Kind::unreachable;
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return Kind::cut;
    default:
      return Kind::fatal;
  }
}

// What to do about an error, for the end of its message.
std::string advice(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
      return "; check the network, HF_ENDPOINT and the proxy variables (https_proxy, no_proxy)";
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
      return "; behind a proxy that replaces certificates, set SSL_CERT_FILE to a file with its "
             "certificate";
    case CURLE_SSL_CONNECT_ERROR:
      return "; check that HF_ENDPOINT is right and, if SSL_CERT_FILE is set, that it names the "
             "certificate of this server's authority";
    default:
      return "";
  }
}

}  // namespace

// A request while it runs.
struct Client::Exchange {
  Client* client = nullptr;
  Sink* sink = nullptr;
  Response response;
  HeaderList headers;
  uint64_t head = 0;     // bytes of headers
  uint64_t ignored = 0;  // bytes of a body that nobody wants
  bool begun = false;
  std::exception_ptr failure;

  void begin_body() {
    if (begun || !sink || !response.ok()) return;
    begun = true;
    sink->begin(response);
  }

  void header_line(std::string_view line) {
    head += line.size();
    if (head > kMaxHead) fail_head();
    if (line.starts_with("HTTP/")) {  // of every answer on the way, such as "100 Continue"
      response.headers.clear();
      response.status = 0;
      const std::size_t space = line.find(' ');
      if (space != std::string_view::npos)
        std::from_chars(line.data() + space + 1, line.data() + line.size(), response.status);
      return;
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || response.headers.size() >= kMaxHeaders) return;
    response.headers[lower(std::string(line.substr(0, colon)))] = trimmed(line.substr(colon + 1));
  }

  [[noreturn]] void fail_head() const {
    throw TransportError(TransportError::Kind::fatal,
                         origin(response.url) + ": the headers of its answer do not end",
                         "; is it a hub?");
  }

  void body(const char* data, std::size_t size) {
    begin_body();
    if (begun)
      sink->write(data, size);
    else
      ignored += size;
  }

  // libcurl's callbacks may not throw: exceptions wait in `failure`.
  template <typename Action>
  bool guarded(Action action) {
    try {
      action();
      return true;
    } catch (...) {
      failure = std::current_exception();
      return false;
    }
  }

  static std::size_t on_header(char* data, std::size_t, std::size_t size, void* self) {
    auto* exchange = static_cast<Exchange*>(self);
    return exchange->guarded([&] { exchange->header_line({data, size}); }) ? size : 0;
  }

  static std::size_t on_body(char* data, std::size_t, std::size_t size, void* self) {
    auto* exchange = static_cast<Exchange*>(self);
    const bool good = exchange->guarded([&] { exchange->body(data, size); });
    return good && exchange->ignored <= kMaxErrorBody ? size : 0;
  }

  static int on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<Exchange*>(self)->client->cancelled_() ? 1 : 0;
  }
};

std::string Response::header(const std::string& name) const {
  const auto entry = headers.find(name);
  return entry == headers.end() ? "" : entry->second;
}

std::optional<uint64_t> Response::content_length() const {
  return parse_size(header("content-length"));
}

std::optional<uint64_t> parse_size(const std::string& text) {
  uint64_t value = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (fault != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string origin(const std::string& url) {
  const std::unique_ptr<CURLU, void (*)(CURLU*)> parts(curl_url(), curl_url_cleanup);
  if (!parts) throw std::bad_alloc();
  const auto part = [&](CURLUPart which) {
    char* text = nullptr;
    if (curl_url_get(parts.get(), which, &text, CURLU_NO_DEFAULT_PORT) != CURLUE_OK || !text)
      return std::string();
    const std::unique_ptr<char, void (*)(void*)> owner(text, curl_free);
    return lower(text);
  };
  const bool parsed = curl_url_set(parts.get(), CURLUPART_URL, url.c_str(), 0) == CURLUE_OK;
  const std::string scheme = parsed ? part(CURLUPART_SCHEME) : "";
  if (scheme != "http" && scheme != "https")
    base::fail("'", base::printable(url), "' is no http or https address");
  const std::string port = part(CURLUPART_PORT);
  return scheme + "://" + part(CURLUPART_HOST) + (port.empty() ? "" : ":" + port);
}

Client::Client(const Settings& settings, std::function<bool()> cancelled)
    : settings_(settings), cancelled_(std::move(cancelled)) {
  start_curl();
  curl_ = curl_easy_init();
  if (!curl_) throw std::bad_alloc();
}

Client::~Client() { curl_easy_cleanup(curl_); }

void Client::prepare(const Request& request, Exchange& exchange) {
  CURL* curl = curl_;
  curl_easy_reset(curl);  // keeps connections
  const auto set = [curl](CURLoption option, auto value) {
    check(curl_easy_setopt(curl, option, value));
  };
  set(CURLOPT_URL, request.url.c_str());
#if LIBCURL_VERSION_NUM >= 0x075500
  set(CURLOPT_PROTOCOLS_STR, "http,https");
#else
  set(CURLOPT_PROTOCOLS, static_cast<long>(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_NOBODY, request.head ? 1L : 0L);
  set(CURLOPT_USERAGENT, "vitome/" VITOME_VERSION);
  set(CURLOPT_CONNECTTIMEOUT, static_cast<long>(settings_.connect_timeout.count()));
  set(CURLOPT_LOW_SPEED_LIMIT, static_cast<long>(settings_.lowest_rate));
  set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(settings_.stall_timeout.count()));
  if (request.limit) set(CURLOPT_TIMEOUT, static_cast<long>(request.limit->count()));
  // Only a wish, which libcurl refuses after some failures.
  curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, kReceiveBuffer);
  set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  if (!settings_.certificates.empty()) set(CURLOPT_CAINFO, settings_.certificates.c_str());

  // Sizes and checksums are those of the file itself, so that it may not come compressed.
  exchange.headers.add("Accept-Encoding: identity");
  if (!request.token.empty()) exchange.headers.add("Authorization: Bearer " + request.token);
  if (request.offset > 0)
    exchange.headers.add("Range: bytes=" + std::to_string(request.offset) + "-");
  set(CURLOPT_HTTPHEADER, exchange.headers.get());
  set(CURLOPT_HEADEROPT, static_cast<long>(CURLHEADER_SEPARATE));  // a proxy gets none of them

  set(CURLOPT_HEADERFUNCTION, &Exchange::on_header);
  set(CURLOPT_HEADERDATA, static_cast<void*>(&exchange));
  set(CURLOPT_WRITEFUNCTION, &Exchange::on_body);
  set(CURLOPT_WRITEDATA, static_cast<void*>(&exchange));
  set(CURLOPT_NOPROGRESS, 0L);
  set(CURLOPT_XFERINFOFUNCTION, &Exchange::on_progress);
  set(CURLOPT_XFERINFODATA, static_cast<void*>(&exchange));
}

Response Client::send(const Request& request, Sink* sink) {
  if (cancelled_()) throw Interrupted();
  Exchange exchange;
  exchange.client = this;
  exchange.sink = sink;
  exchange.response.url = request.url;
  prepare(request, exchange);
  std::vector<char> detail(CURL_ERROR_SIZE);
  check(curl_easy_setopt(curl_, CURLOPT_ERRORBUFFER, detail.data()));
  const CURLcode code = [this] {
    const NoBrokenPipe guard;
    return curl_easy_perform(curl_);
  }();
  check(curl_easy_setopt(curl_, CURLOPT_ERRORBUFFER, nullptr));

  if (exchange.failure) std::rethrow_exception(exchange.failure);
  if (code == CURLE_ABORTED_BY_CALLBACK) throw Interrupted();
  Response& response = exchange.response;
  const bool answered = exchange.ignored > 0;  // only the words about an error may be cut off
  if (code != CURLE_OK && !answered) {
    curl_off_t connected = 0;  // microseconds until the request could be sent
    check(curl_easy_getinfo(curl_, CURLINFO_PRETRANSFER_TIME_T, &connected));
    // That is how libcurl takes a single header of more than 100 kB.
    if (code == CURLE_OUT_OF_MEMORY && connected > 0 && !exchange.begun) exchange.fail_head();
    const std::string text = detail[0] ? detail.data() : curl_easy_strerror(code);
    throw TransportError(kind_of(code, connected > 0),
                         origin(request.url) + ": " + base::printable(text), advice(code));
  }
  char* redirect = nullptr;
  check(curl_easy_getinfo(curl_, CURLINFO_REDIRECT_URL, &redirect));
  if (redirect) response.redirect = redirect;
  curl_off_t wait = 0;
  check(curl_easy_getinfo(curl_, CURLINFO_RETRY_AFTER, &wait));
  if (wait > 0) response.retry_after = std::chrono::seconds(wait);
  exchange.begin_body();
  return response;
}

}  // namespace hub
