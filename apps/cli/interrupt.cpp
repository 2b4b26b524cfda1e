#include <csignal>

#include <apps/cli/interrupt.h>

namespace cli {
namespace {

volatile std::sig_atomic_t signal_seen = 0;

void note(int signal) {
  if (signal_seen == 0) signal_seen = signal;
  // The next one of these has its usual effect. A terminal that is closed may send SIGHUP twice, by
  // way of the shell, too.
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

// nohup has SIGHUP ignored, which shall stay so.
bool is_ignored(int signal) {
  struct sigaction action {};
  return sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

void watch_interrupts() {
  struct sigaction action {};
  action.sa_handler = note;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  if (!is_ignored(SIGHUP)) sigaction(SIGHUP, &action, nullptr);
}

bool interrupted() { return signal_seen != 0; }

int interrupted_status() { return 128 + (interrupted() ? signal_seen : SIGINT); }

void end_interrupted() {
  std::signal(signal_seen, SIG_DFL);
  std::raise(signal_seen);
}

}  // namespace cli
