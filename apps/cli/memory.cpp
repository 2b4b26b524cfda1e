#include <new>
#include <string_view>

#include <c10/util/Exception.h>

#include <apps/cli/memory.h>
#include <base/text.h>

namespace cli {
namespace {

constexpr const char* kMessage = "out of memory";

// LibTorch tells of the CPU's memory by an error of the general kind, with these words in it.
constexpr std::string_view kRefusal = "DefaultCPUAllocator: can't allocate memory";
constexpr std::string_view kAsked = "you tried to allocate ";

std::string with_size(std::string_view message) {
  const std::size_t place = message.find(kAsked);
  if (place == message.npos) return kMessage;
  message.remove_prefix(place + kAsked.size());
  const auto size = base::parse_integer(message.substr(0, message.find(' ')));
  if (!size || *size < 0) return kMessage;
  return std::string(kMessage) + ": " + base::bytes(static_cast<uint64_t>(*size)) +
         " more were needed";
}

}  // namespace

std::optional<std::string> out_of_memory(const std::exception& error) {
  if (dynamic_cast<const std::bad_alloc*>(&error)) return kMessage;
  const auto* of_torch = dynamic_cast<const c10::Error*>(&error);
  if (!of_torch) return std::nullopt;
  const std::string message = of_torch->what_without_backtrace();
  if (message.find(kRefusal) != message.npos) return with_size(message);
  // A GPU's message says how much is there, and then goes on about settings of its allocator.
  if (dynamic_cast<const c10::OutOfMemoryError*>(&error))
    return std::string(kMessage) + ": " + message.substr(0, message.find(". "));
  return std::nullopt;
}

}  // namespace cli
