#pragma once

namespace cli {

/// From now on the first Ctrl-C, SIGTERM (which job schedulers send) or SIGHUP (a terminal that is
/// closed; not under nohup) asks the program to finish what it is at; another Ctrl-C or SIGTERM
/// ends it.
void watch_interrupts();

/// One of them came since watch_interrupts().
bool interrupted();

/// The exit status that shells give a program which the one that came has ended: 143 after SIGTERM,
/// 129 after SIGHUP, 130 after Ctrl-C, and where it came to another process of a group.
int interrupted_status();

/// Ends the program by the one that came, as if nobody had watched.
void end_interrupted();

}  // namespace cli
