#include <algorithm>
#include <cstdlib>
#include <future>
#include <thread>
#include <vector>

#include <c10/util/Logging.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <base/error.h>
#include <base/text.h>
#include <distributed/local_address.h>
#include <distributed/meeting.h>

namespace distributed {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

std::string place(const Environment& environment) {
  return base::printable(environment.host) + ":" + std::to_string(environment.port) +
         " (MASTER_ADDR, MASTER_PORT)";
}

std::string seconds(milliseconds time) {
  return base::fixed(static_cast<double>(time.count()) / 1000.0, 0) + " s";
}

milliseconds until(Clock::time_point deadline) {
  const auto left = std::chrono::duration_cast<milliseconds>(deadline - Clock::now());
  return std::max(left, milliseconds(1));  // 0 would mean: without end
}

using StorePointer = c10::intrusive_ptr<c10d::Store>;

// Keeps LibTorch from printing a warning, with a stack trace, each time that it tries again.
class Quiet {
 public:
  Quiet() : level_(FLAGS_caffe2_log_level) {
    if (!std::getenv("TORCH_CPP_LOG_LEVEL")) FLAGS_caffe2_log_level = c10::GLOG_FATAL;
  }
  ~Quiet() { FLAGS_caffe2_log_level = level_; }
  Quiet(const Quiet&) = delete;
  Quiet& operator=(const Quiet&) = delete;

 private:
  int level_;
};

// On a thread of its own, since it waits without end for a server that takes the connection and
// then says nothing: one that is no store. Such a thread stays behind. Nothing if it is late.
StorePointer open_in_time(const std::string& host, const c10d::TCPStoreOptions& options) {
  constexpr auto kLastTry = std::chrono::seconds(5);  // what LibTorch may take beyond its timeout
  auto opened = std::make_shared<std::promise<StorePointer>>();
  auto store = opened->get_future();
  std::thread([opened, host, options] {
    try {
      opened->set_value(c10::make_intrusive<c10d::TCPStore>(host, options));
    } catch (...) {
      opened->set_exception(std::current_exception());
    }
  }).detach();
  if (store.wait_for(options.timeout + kLastTry) != std::future_status::ready) return {};
  return store.get();
}

StorePointer open_store(const Environment& environment, milliseconds timeout) {
  c10d::TCPStoreOptions options;
  options.port = environment.port;
  options.isServer = environment.rank == 0 && !environment.served;
  options.waitWorkers = false;
  options.timeout = timeout;
  const char* server = environment.served ? "the launcher" : "process 0";
  std::string why = "something answers there that is not " + std::string(server);
  try {
    if (auto store = open_in_time(environment.host, options)) return store;
  } catch (const std::exception& error) {
    why = reason(error);
    if (options.isServer)
      base::fail("process 0 of ", environment.size, " cannot serve the others at ",
                 place(environment), ": ", why,
                 ". Is the port taken? Set another MASTER_PORT, the same for all processes");
    if (!local_address(environment.host)) why = "no such host, or no way to it";
  }
  base::fail("process ", environment.rank, " of ", environment.size, " found nobody at ",
             place(environment), " within ", seconds(timeout), ": ", why, ". Has ", server,
             " started there, and does a firewall let it be reached?");
}

std::string key(int64_t rank) { return "process/" + std::to_string(rank); }

// The numbers of those who have not come, the first few of them.
std::string missing(c10d::Store& store, int64_t size) {
  constexpr std::size_t kMost = 8;
  std::vector<std::string> numbers;
  for (int64_t rank = 0; rank < size; ++rank) {
    if (store.check({key(rank)})) continue;
    if (numbers.size() == kMost) {
      numbers.emplace_back("…");
      break;
    }
    numbers.push_back(std::to_string(rank));
  }
  return base::join(numbers, ", ");
}

void gather(c10d::Store& store, const Environment& environment, milliseconds timeout,
            Clock::time_point deadline) {
  const auto wait = [&](const std::vector<std::string>& keys, const auto& absent) {
    try {
      store.wait(keys, until(deadline));
    } catch (const std::exception&) {
      constexpr milliseconds kEarly(100);  // the store's clock counts in other steps
      if (Clock::now() + kEarly < deadline) throw;
      base::fail("process ", environment.rank, " waited ", seconds(timeout), " at ",
                 place(environment), " for all ", environment.size,
                 " processes (WORLD_SIZE), but RANK ", absent(),
                 " did not come; did they start, with the same MASTER_ADDR and MASTER_PORT?");
    }
  };
  // Process 0 says how many they are, whoever comes first.
  const std::string size = std::to_string(environment.size);
  std::string agreed;
  if (environment.rank == 0) {
    agreed = store.compareSet("size", "", size);
  } else {
    wait({"size"}, [] { return "0"; });
    const auto stored = store.get("size");
    agreed.assign(stored.begin(), stored.end());
  }
  if (agreed != size)
    base::fail("process ", environment.rank, " has WORLD_SIZE=", size, ", another at ",
               place(environment), " has ", base::printable(agreed),
               "; give all processes of a job the same, and each job a MASTER_PORT of its own");
  if (store.add(key(environment.rank), 1) > 1)
    base::fail("two processes at ", place(environment), " have RANK=", environment.rank,
               "; number those of a job from 0 to ", environment.size - 1,
               ", and give each job a MASTER_PORT of its own");
  std::vector<std::string> all;
  for (int64_t rank = 0; rank < environment.size; ++rank) all.push_back(key(rank));
  wait(all, [&] { return missing(store, environment.size); });
}

}  // namespace

std::string reason(const std::exception& error) {
  const auto* torch_error = dynamic_cast<const c10::Error*>(&error);
  std::string text = torch_error ? torch_error->what_without_backtrace() : error.what();
  if (text.starts_with('[')) text.erase(0, text.find("] ") + 2);
  text.resize(std::min({text.size(), text.find('\n'), text.find(". ")}));
  if (text.ends_with('.')) text.pop_back();
  return base::printable(text);
}

StorePointer meet(const Environment& environment, milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  const Quiet quiet;
  auto store = c10::make_intrusive<c10d::PrefixStore>("vitome/" + environment.attempt,
                                                      open_store(environment, timeout));
  try {
    gather(*store, environment, timeout, deadline);
  } catch (const base::Error&) {
    throw;
  } catch (const std::exception& error) {
    base::fail("process ", environment.rank, " of ", environment.size, " lost ", place(environment),
               " while it waited for the others: ", reason(error),
               ". The process that serves it may have failed: see what it said");
  }
  return store;
}

}  // namespace distributed
