#include <algorithm>
#include <functional>
#include <sstream>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <base/error.h>
#include <distributed/backends.h>
#include <distributed/buckets.h>
#include <distributed/connect.h>
#include <distributed/meeting.h>

namespace distributed {
namespace {

using std::chrono::milliseconds;

// Large enough that the network is busy, small enough to be a small part of the memory.
constexpr int64_t kBucketBytes = 32 << 20;

void check_tensors(const std::vector<at::Tensor>& tensors) {
  for (const at::Tensor& tensor : tensors) {
    TORCH_CHECK(tensor.defined(), "a tensor that processes share is undefined");
    TORCH_CHECK(tensor.layout() == at::kStrided && !tensor.is_quantized(),
                "processes share dense tensors only, got ", tensor.toString());
  }
}

void check_sum(const std::vector<at::Tensor>& tensors) {
  check_tensors(tensors);
  for (const at::Tensor& tensor : tensors) {
    const at::ScalarType dtype = tensor.scalar_type();
    TORCH_CHECK(at::isFloatingType(dtype) || dtype == at::kByte || dtype == at::kChar ||
                    dtype == at::kInt || dtype == at::kLong,
                "all_reduce_sum: expected floating point numbers or integers of 8, 32 or 64 bits, "
                "got ",
                dtype);
  }
}

// The same text in all processes if they share the same.
std::string describe(const char* call, const std::vector<at::Tensor>& tensors) {
  std::ostringstream text;
  text << call << " of " << tensors.size() << " tensors:";
  for (const at::Tensor& tensor : tensors) text << ' ' << tensor.scalar_type() << tensor.sizes();
  return text.str();
}

class Processes final : public Group {
 public:
  Processes(const Environment& environment, c10::Device device, milliseconds timeout,
            milliseconds call_timeout)
      : rank_(environment.rank),
        size_(environment.size),
        call_timeout_(call_timeout),
        store_(meet(environment, timeout)) {
    const int rank = static_cast<int>(rank_);
    const int size = static_cast<int>(size_);
    try {
      gloo_ = make_gloo(store_, rank, size, environment.host, timeout);
      if (device.is_cuda()) nccl_ = make_nccl(store_, rank, size, call_timeout);
    } catch (const std::exception& error) {
      base::fail("process ", rank_, " of ", size_,
                 " cannot be connected with the others: ", reason(error),
                 ". Did one of them end, or does a firewall part them? GLOO_SOCKET_IFNAME names "
                 "the network interface to use");
    }
    // Nobody goes on, and maybe ends, before all have found all.
    barrier();
  }

  int64_t rank() const override { return rank_; }
  int64_t size() const override { return size_; }

  void all_reduce_sum(const std::vector<at::Tensor>& tensors) override {
    check_sum(tensors);
    guarded("all_reduce_sum", [&] {
      agree(describe("all_reduce_sum", tensors));
      for (const Bucket& bucket : make_buckets(tensors, kBucketBytes))
        through_backend(bucket, [&](c10d::Backend& backend, at::Tensor flat) {
          // Sums of 16-bit numbers keep few digits, and not every LibTorch can make them.
          const bool narrow = at::isReducedFloatingType(flat.scalar_type());
          std::vector<at::Tensor> sum = {narrow ? flat.to(at::kFloat) : flat};
          c10d::AllreduceOptions options;
          options.timeout = call_timeout_;
          finish(backend.allreduce(sum, options));
          return sum.front().to(flat.scalar_type());
        });
    });
  }

  void broadcast(const std::vector<at::Tensor>& tensors) override {
    check_tensors(tensors);
    guarded("broadcast", [&] {
      agree(describe("broadcast", tensors));
      for (const Bucket& bucket : make_buckets(tensors, kBucketBytes))
        through_backend(bucket, [&](c10d::Backend& backend, at::Tensor flat) {
          // As bytes, since backends do not know all types of numbers.
          std::vector<at::Tensor> bytes = {flat.view(at::kByte)};
          c10d::BroadcastOptions options;
          options.timeout = call_timeout_;
          finish(backend.broadcast(bytes, options));
          return flat;
        });
    });
  }

  std::vector<std::string> all_gather(const std::string& text) override {
    std::vector<std::string> texts;
    guarded("all_gather", [&] {
      texts = exchange(text, agree("all_gather", static_cast<int64_t>(text.size())));
    });
    return texts;
  }

  void barrier() override {
    guarded("barrier", [&] { agree("barrier"); });
  }

 private:
  // After a failure the processes may wait for different things: nothing works from then on.
  template <typename Call>
  void guarded(const char* name, const Call& call) {
    if (!failure_.empty()) base::fail(name, ": ", failure_);
    try {
      const at::NoGradGuard no_gradients;
      call();
    } catch (const std::exception& error) {
      failure_ = reason(error);
      // Tells the others, who would wait for this one.
      nccl_.reset();
      gloo_.reset();
      throw;
    }
  }

  void finish(const c10::intrusive_ptr<c10d::Work>& work) {
    try {
      work->wait();
    } catch (const std::exception& error) {
      lost(error);
    }
  }

  [[noreturn]] void lost(const std::exception& error) const {
    base::fail("process ", rank_, " of ", size_,
               " lost another one, which has ended or is late: ", reason(error),
               ". See what the other processes said, and start all of them again");
  }

  // Every process gives a row of numbers, and gets the rows of all, [size, numbers].
  at::Tensor all_rows(const at::Tensor& row) {
    std::vector<at::Tensor> rows = {row};
    std::vector<std::vector<at::Tensor>> gathered(1);
    at::Tensor all = at::empty({size_, row.numel()}, row.options());
    for (int64_t i = 0; i < size_; ++i) gathered.front().push_back(all[i]);
    c10d::AllgatherOptions options;
    options.timeout = call_timeout_;
    finish(gloo_->allgather(gathered, rows, options));
    return all;
  }

  // Makes sure that all processes are about to do the same, which backends do not: they would hang
  // or mix up memory. Returns the `length` of each process.
  std::vector<int64_t> agree(const std::string& what, int64_t length = 0) {
    const auto hash = static_cast<int64_t>(std::hash<std::string>{}(what));
    const at::Tensor all = all_rows(at::tensor({hash, length}, at::kLong));
    const auto rows = all.accessor<int64_t, 2>();
    std::vector<int64_t> lengths(static_cast<std::size_t>(size_));
    bool same = true;
    for (int64_t i = 0; i < size_; ++i) {
      lengths[static_cast<std::size_t>(i)] = rows[i][1];
      same = same && rows[i][0] == rows[0][0];
    }
    if (!same) disagree(what);
    return lengths;
  }

  [[noreturn]] void disagree(const std::string& what) {
    constexpr std::size_t kMost = 120;
    const std::string mine = what.size() <= kMost ? what : what.substr(0, kMost - 3) + "...";
    std::string padded = mine;
    padded.resize(kMost, '\0');
    const auto texts =
        exchange(padded, std::vector<int64_t>(static_cast<std::size_t>(size_), kMost));
    const auto other =
        std::find_if(texts.begin(), texts.end(), [&](const auto& text) { return text != padded; });
    const auto their_rank = other == texts.end() ? -1 : other - texts.begin();
    std::string theirs = other == texts.end() ? mine : *other;
    theirs.resize(std::min(theirs.size(), theirs.find('\0')));
    base::fail("the processes do not do the same: process ", rank_, " is at ", mine, ", process ",
               their_rank, " at ", theirs,
               ". Start all of them with the same options, model and data");
  }

  std::vector<std::string> exchange(const std::string& text, const std::vector<int64_t>& lengths) {
    const int64_t longest = *std::max_element(lengths.begin(), lengths.end());
    if (longest == 0) return std::vector<std::string>(lengths.size());
    at::Tensor row = at::zeros({longest}, at::kByte);
    std::copy(text.begin(), text.end(), row.data_ptr<uint8_t>());
    const at::Tensor all = all_rows(row);
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < lengths.size(); ++i) {
      const auto* start = reinterpret_cast<const char*>(all.data_ptr<uint8_t>());
      texts.emplace_back(start + static_cast<int64_t>(i) * longest,
                         static_cast<std::size_t>(lengths[i]));
    }
    return texts;
  }

  // `call` gets the bucket as a flat tensor, where the backend can reach it, and returns what the
  // bucket is to become.
  template <typename Call>
  void through_backend(const Bucket& bucket, const Call& call) {
    const at::Tensor flat = flatten(bucket);
    if (flat.is_cuda() && nccl_)
      unflatten(call(*nccl_, flat), bucket);
    else
      unflatten(call(*gloo_, flat.cpu()), bucket);
  }

  int64_t rank_;
  int64_t size_;
  milliseconds call_timeout_;
  std::string failure_;
  c10::intrusive_ptr<c10d::Store> store_;
  c10::intrusive_ptr<c10d::Backend> gloo_;
  c10::intrusive_ptr<c10d::Backend> nccl_;
};

}  // namespace

std::shared_ptr<Group> connect(const Environment& environment, c10::Device device,
                               milliseconds timeout, milliseconds call_timeout) {
  return std::make_shared<Processes>(environment, device, timeout, call_timeout);
}

}  // namespace distributed
