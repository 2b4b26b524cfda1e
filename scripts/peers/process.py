"""A contender as a process that waits for its turns."""

import json
import pathlib
import subprocess


class Failed(Exception):
    """A contender ended; the message says why."""


def failure(status, log_path):
    """With the line of its output that most likely says why a process ended."""
    text = pathlib.Path(log_path).read_text(errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if "error" in line.lower() or line.startswith("vitome ")]
    return Failed((telling or lines or [f"ended with status {status}"])[-1][:300])


def finish(command, log_path, environment):
    """Runs a command to its end. Raises Failed."""
    with open(log_path, "w") as log:
        status = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log).returncode
    if status:
        raise failure(status, log_path)


class Process:
    """Answers each line on its standard input with a round of measuring."""

    def __init__(self, command, log_path, environment):
        self.log_path = log_path
        with open(log_path, "w") as log:
            self.process = subprocess.Popen(
                command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )

    def turn(self):
        """Throughputs of its settings in one round. Raises Failed."""
        try:
            self.process.stdin.write("\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise self.failure()
        return json.loads(answer)["throughput"]

    def failure(self):
        """Why it ended."""
        return failure(self.process.wait(), self.log_path)

    def peak_memory(self):
        """Bytes, since the start or the last reset; None where the system does not tell."""
        try:
            status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        except OSError:
            return None
        peak = next((line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")), None)
        return peak and int(peak) * 1024

    def reset_peak_memory(self):
        try:
            pathlib.Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")
        except OSError:
            pass  # the peak is then that of the whole life

    def close(self):
        """Ends its measuring and waits until it has written what it has to write."""
        self.process.stdin.close()
        self.process.stdout.read()
        self.process.wait()

    def kill(self):
        self.process.kill()
        self.process.wait()
