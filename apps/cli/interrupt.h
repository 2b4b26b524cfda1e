#pragma once

namespace cli {

constexpr int kExitInterrupted = 130;  // what shells use for a program ended by Ctrl-C

/// From now on the first Ctrl-C asks the program to finish what it is at; a second one ends it.
void watch_interrupts();

/// Ctrl-C came since watch_interrupts().
bool interrupted();

}  // namespace cli
