// Stands in for libFuzzer where there is none: reads every seed and a number of mutations of them,
// the same ones each time. The input that ends the program is left in crash-<target>.
#include "tests/fuzz/entry.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <sys/resource.h>
#include <vector>

#if !defined(__SANITIZE_ADDRESS__)
constexpr bool kCanLimitMemory = true;
#else
constexpr bool kCanLimitMemory = false;  // its shadow memory needs the whole address space
#endif

// Not there unless a sanitizer is.
extern "C" __attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)());

namespace {

namespace fs = std::filesystem;

constexpr uint32_t kRandomSeed = 1;
constexpr size_t kMaxMutated = 20'000;  // larger seeds are only replayed
constexpr rlim_t kMaxMemory = rlim_t{256} << 20;
constexpr std::clock_t kMaxTime = 10 * CLOCKS_PER_SEC;  // of CPU

std::string target = "none";
std::string input;

void save_input() {
  const std::string name = "crash-" + target;
  if (std::FILE* file = std::fopen(name.c_str(), "wb")) {
    std::fwrite(input.data(), 1, input.size(), file);
    std::fclose(file);
    std::fprintf(stderr, "the input is in %s\n", name.c_str());
  }
}

void die(int signal) {
  save_input();
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void watch_for_death() {
  if (__sanitizer_set_death_callback) __sanitizer_set_death_callback(save_input);
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) std::signal(signal, die);
}

/// From now on whoever asks for much more memory gets std::bad_alloc.
void limit_memory() {
  rlim_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  rlimit limit{};
  getrlimit(RLIMIT_AS, &limit);
  limit.rlim_cur = pages * 4096 + kMaxMemory;
  if (kCanLimitMemory) setrlimit(RLIMIT_AS, &limit);
}

void run() {
  const std::clock_t start = std::clock();
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
  if (std::clock() - start > kMaxTime) {
    std::fprintf(stderr, "%s: an input takes too long\n", target.c_str());
    std::abort();
  }
}

/// One to four changes of a few bytes each.
std::string damage(std::string bytes, const std::string& other, std::mt19937& random) {
  const auto below = [&](size_t limit) { return random() % std::max<size_t>(limit, 1); };
  for (size_t changes = 1 + below(4); changes > 0 && !bytes.empty(); --changes) {
    const size_t position = below(bytes.size());
    switch (below(8)) {
      case 0:
        bytes[position] ^= static_cast<char>(1 << below(8));
        break;
      case 1:
        bytes[position] = static_cast<char>(below(256));
        break;
      case 2:  // a large number where a size may stand
        std::fill_n(bytes.begin() + static_cast<ptrdiff_t>(position),
                    std::min<size_t>(1 + below(8), bytes.size() - position), '\xFF');
        break;
      case 3:
        bytes.resize(position);
        break;
      case 4:
        bytes.erase(position, 1 + below(16));
        break;
      case 5:  // another digit
        if (bytes[position] >= '0' && bytes[position] <= '9')
          bytes[position] = static_cast<char>('0' + below(10));
        break;
      case 6:
        if (!other.empty())
          bytes.insert(position, other.substr(below(other.size()), 1 + below(64)));
        break;
      default:
        bytes.insert(position, bytes.substr(below(bytes.size()), 1 + below(16)));
    }
  }
  return bytes;
}

std::vector<std::string> read_seeds(const std::vector<fs::path>& paths) {
  std::vector<fs::path> files;
  for (const auto& path : paths)
    if (fs::is_directory(path))
      for (const auto& entry : fs::recursive_directory_iterator(path)) {
        if (entry.is_regular_file()) files.push_back(entry.path());
      }
    else
      files.push_back(path);
  std::sort(files.begin(), files.end());
  std::vector<std::string> seeds;
  for (const auto& path : files) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
      std::fprintf(stderr, "%s cannot be read\n", path.c_str());
      std::exit(2);
    }
    seeds.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return seeds;
}

}  // namespace

/// --target=NAME [--mutations=N] SEEDS…, which are files and folders.
int main(int argc, char** argv) {
  LLVMFuzzerInitialize(&argc, &argv);
  constexpr std::string_view kTarget = "--target=", kMutations = "--mutations=";
  size_t mutations = 0;
  std::vector<fs::path> paths;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word.starts_with(kTarget))
      target = word.substr(kTarget.size());
    else if (word.starts_with(kMutations))
      mutations = std::strtoul(argv[i] + kMutations.size(), nullptr, 10);
    else
      paths.emplace_back(word);
  }
  auto seeds = read_seeds(paths);
  if (seeds.empty()) {
    std::fprintf(stderr, "no seeds\n");
    return 2;
  }

  watch_for_death();
  limit_memory();
  for (const auto& seed : seeds) {
    input = seed;
    run();
  }
  std::erase_if(seeds, [](const auto& seed) { return seed.size() > kMaxMutated; });
  std::mt19937 random(kRandomSeed);
  for (size_t i = 0; i < mutations && !seeds.empty(); ++i) {
    const auto& seed = seeds[random() % seeds.size()];
    input = damage(seed, seeds[random() % seeds.size()], random);
    run();
  }
  std::printf("%s: %zu seeds and %zu mutations\n", target.c_str(), seeds.size(), mutations);
  return 0;
}
