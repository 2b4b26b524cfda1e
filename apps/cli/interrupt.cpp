#include <csignal>

#include <apps/cli/interrupt.h>

namespace cli {
namespace {

volatile std::sig_atomic_t signal_seen = 0;

void note(int signal) {
  signal_seen = signal;
  // The next one has its usual effect.
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

}  // namespace

void watch_interrupts() {
  struct sigaction action {};
  action.sa_handler = note;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() { return signal_seen != 0; }

int interrupted_status() { return 128 + (interrupted() ? signal_seen : SIGINT); }

void end_interrupted() { std::raise(signal_seen); }

}  // namespace cli
