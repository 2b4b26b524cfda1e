// One of the processes of the tests: peer <what to do> [arguments]. Prints results, one line each,
// and what fails to standard error.
#include <chrono>
#include <csignal>
#include <functional>
#include <iostream>
#include <map>
#include <thread>

#include <torch/torch.h>

#include <distributed/group.h>
#include <vit/error.h>

namespace {

using distributed::Group;

std::chrono::milliseconds seconds(const std::string& text) {
  return std::chrono::milliseconds(static_cast<int64_t>(std::stod(text) * 1000));
}

at::Tensor noise(const Group& group, at::IntArrayRef shape, at::ScalarType dtype) {
  torch::manual_seed(static_cast<uint64_t>(group.rank()));
  return torch::randn(shape).to(dtype);
}

// Of the bytes, so that a single other bit shows.
uint64_t fingerprint(const at::Tensor& tensor) {
  const at::Tensor bytes = tensor.contiguous().view(at::kByte);
  const std::string_view text(static_cast<const char*>(bytes.const_data_ptr()), bytes.nbytes());
  return std::hash<std::string_view>{}(text);
}

// Integers in all types that can be summed, over views, empty tensors and more than one bucket.
void sums(Group& group) {
  const int64_t mine = group.rank() + 1;
  std::vector<at::Tensor> tensors;
  for (const at::ScalarType type : {at::kFloat, at::kDouble, at::kHalf, at::kBFloat16, at::kByte,
                                    at::kChar, at::kInt, at::kLong})
    for (const int64_t count : {1, 5}) tensors.push_back(torch::arange(count).mul(mine).to(type));
  const at::Tensor base = torch::full({4, 6}, mine, torch::kFloat);
  tensors.push_back(base.t().narrow(0, 1, 2));
  tensors.push_back(torch::empty({0, 3}));
  tensors.push_back(torch::full({}, static_cast<double>(mine), torch::requires_grad()));
  tensors.push_back(torch::full({(20 << 20) / 4}, mine, torch::kFloat));
  tensors.push_back(torch::full({(20 << 20) / 4}, 2 * mine, torch::kFloat));
  tensors.push_back(torch::full({(40 << 20) / 4}, 3 * mine, torch::kFloat));
  group.all_reduce_sum(tensors);
  for (const at::Tensor& tensor : tensors)
    std::cout << tensor.scalar_type() << ' ' << tensor.sizes() << ' '
              << tensor.to(torch::kDouble).sum().item<double>() << '\n';
  std::cout << "beside the view " << base.sum().item<double>() << '\n';
}

void noise_sums(Group& group) {
  for (const at::ScalarType type : {at::kFloat, at::kDouble, at::kBFloat16})
    for (const int64_t count : {1, 1000, 1000003}) {
      const at::Tensor tensor = noise(group, {count}, type);
      group.all_reduce_sum({tensor});
      std::cout << fingerprint(tensor) << '\n';
    }
}

void broadcasts(Group& group) {
  const int64_t mine = 10 * (group.rank() + 1);
  std::vector<at::Tensor> tensors = {
      torch::full({3}, mine, torch::kShort),
      torch::full({2, 2}, group.leader(), torch::kBool),
      torch::full({4, 5}, mine, torch::kFloat).t().narrow(1, 1, 2),
      torch::empty({0}),
      torch::full({3}, static_cast<double>(mine), torch::requires_grad()),
      torch::full({2}, c10::complex<float>(0, static_cast<float>(mine)), torch::kComplexFloat),
      torch::full({(40 << 20)}, mine, torch::kByte),
  };
  group.broadcast(tensors);
  for (const at::Tensor& tensor : tensors)
    std::cout << tensor.scalar_type() << ' ' << tensor.sizes() << ' ' << fingerprint(tensor)
              << '\n';
  const at::Tensor random = noise(group, {1000}, at::kFloat);
  group.broadcast({random});
  std::cout << fingerprint(random) << '\n';
}

void texts(Group& group) {
  const auto rank = static_cast<std::size_t>(group.rank());
  for (const std::string& text : {std::string(), std::string(rank, 'a'),
                                  "of " + std::to_string(rank), std::string(2 - rank % 2, '\0')})
    for (const std::string& one : group.all_gather(text)) std::cout << one << '|';
  std::cout << '\n';
}

// The last one comes late to the barrier.
void barriers(Group& group, const std::string& delay) {
  // One clock for all processes of a machine.
  const auto now = [] { return std::chrono::steady_clock::now().time_since_epoch().count(); };
  group.barrier();
  if (group.rank() == group.size() - 1) std::this_thread::sleep_for(seconds(delay));
  const auto entered = now();
  group.barrier();
  std::cout << entered << ' ' << now() << '\n';
}

// Says "ready" and goes on until something ends it.
void forever(Group& group) {
  const at::Tensor tensor = torch::ones({1 << 20});
  for (bool first = true;; first = false) {
    group.all_reduce_sum({tensor});
    tensor.fill_(1);
    if (first) std::cout << "ready" << std::endl;
  }
}

void differ(Group& group) {
  try {
    group.all_reduce_sum({torch::ones({group.leader() ? 3 : 4})});
  } catch (const vit::Error&) {
    group.barrier();  // says again why nothing works any more
  }
}

void refuse(Group& group) {
  for (const at::Tensor& tensor :
       {at::Tensor(), torch::ones({2}).to_sparse(), torch::ones({2}, at::kBool)})
    try {
      group.all_reduce_sum({tensor});
    } catch (const c10::Error& error) {
      std::cout << error.what_without_backtrace() << '\n';
    }
  group.barrier();  // as good as before
}

}  // namespace

// peer <what> <seconds to meet> <seconds for a call> [argument]
int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  const std::map<std::string, std::function<void(Group&)>> deeds = {
      {"sums", sums},
      {"noise", noise_sums},
      {"broadcasts", broadcasts},
      {"texts", texts},
      {"barriers", [&](Group& group) { barriers(group, words.at(3)); }},
      {"forever", forever},
      {"differ", differ},
      {"different calls",
       [](Group& group) {
         group.leader() ? group.barrier() : group.broadcast({torch::ones({2})});
       }},
      {"refuse", refuse},
      {"meet",
       [](Group& group) { std::cout << group.rank() << " of " << group.size() << std::endl; }},
  };
  try {
    torch::set_num_threads(1);
    const auto group = distributed::group_from_environment(torch::kCPU, seconds(words.at(1)),
                                                           seconds(words.at(2)));
    deeds.at(words.at(0))(*group);
    return 0;
  } catch (const vit::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
