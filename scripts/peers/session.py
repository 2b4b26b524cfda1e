"""One case measured: everybody's processes started one after another, then rounds by turns."""

import os
import pathlib
import statistics
import sys

from peers import contenders, entrants
from peers.process import Failed

# How far logits may lie from timm's in float32, as a share of the largest: a hundredfold of what
# float32 shows, and several times what 8 bits of mantissa or of integers do after 12 to 24 blocks.
# With them some tokens merge differently, so only float32 tells whether merging is the same; where
# nearly all merge, as 60 of 65 do, bfloat16 was found 0.1 away.
LIMITS = {"fp32": 1e-3, "bf16": 0.1, "int8": 0.3}
MERGED_LIMITS = {**LIMITS, "bf16": 0.3}


def say(text):
    print(text, file=sys.stderr, flush=True)


class Session:
    def __init__(self, case, options, folder, fast_bf16):
        self.case, self.folder, self.fast_bf16 = case, pathlib.Path(folder), fast_bf16
        self.vitome, self.peers = str(options.vitome), options.peers
        self.rounds, self.seconds = options.rounds, options.seconds
        threads = str(case.threads)
        scripts = str(pathlib.Path(__file__).resolve().parent.parent)
        self.environment = {**os.environ, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, "PYTHONPATH": scripts}
        self.skipped = []
        self.entrants = []
        self.num_tokens, self.gflops = None, {}

    def skip(self, entrant, why):
        say(f"  left out: {entrant.title}: {why}")
        name = entrant.contender.name
        self.skipped.append({"title": entrant.title, "contender": name, "dtype": entrant.dtype, "reason": why})

    def drop(self, entrant, failure):
        self.entrants.remove(entrant)
        entrant.kill()
        self.skip(entrant, str(failure))

    def run(self):
        """Measures everybody who can take part; returns what is to be reported."""
        say(self.case.title())
        try:
            self.start()
            self.measure()
            for entrant in self.entrants:
                try:
                    entrant.close()
                except Failed as failure:
                    say(f"  {entrant.title} did not end well: {failure}")
        finally:
            for entrant in self.entrants:
                entrant.kill()
        return self.report()

    def start(self):
        invited = []
        for dtype in self.case.dtypes:
            for contender in contenders.PEERS:
                if contender.name in self.peers:
                    invited.append(entrants.Peer(contender, dtype, self))
            invited.append(entrants.Vitome(contenders.VITOME, dtype, self))
        able = []
        for entrant in invited:
            obstacle = entrant.contender.obstacle(entrant.dtype, self.case)
            if obstacle:
                self.skip(entrant, obstacle)
            else:
                able.append(entrant)
        peers = [entrant for entrant in able if isinstance(entrant, entrants.Peer)]
        if peers:
            say("  timm in float32, what all others are to compute")
            try:
                peers[0].make_reference()
            except Failed as failure:
                for peer in peers:
                    able.remove(peer)
                    self.skip(peer, f"timm: {failure}")
        for entrant in able:
            say(f"  {entrant.title}")
            self.entrants.append(entrant)
            try:
                entrant.start()
                entrant.compare()
            except Failed as failure:
                self.drop(entrant, failure)

    def measure(self):
        for number in range(self.rounds):
            say(f"  round {number + 1} of {self.rounds}")
            order = self.entrants if number % 2 else self.entrants[::-1]
            for entrant in list(order):
                try:
                    entrant.rounds.append(entrant.process.turn())
                except Failed as failure:
                    self.drop(entrant, failure)

    def rates(self, name, dtype, r):
        """Throughputs of the rounds, or None if nobody measured that."""
        for entrant in self.entrants:
            if entrant.contender.name == name and entrant.dtype == dtype and r in entrant.rs:
                return [rates[entrant.rs.index(r)] for rates in entrant.rounds]
        return None

    def report(self):
        case = self.case
        return {
            "arch": case.arch,
            "image_size": list(case.image_size) or None,
            "num_tokens": self.num_tokens,
            "batch": case.batch,
            "dtypes": list(case.dtypes),
            "threads": case.threads,
            "training": case.training,
            "rounds": self.rounds,
            "seconds": self.seconds,
            "title": case.title(),
            "note": case.note,
            "results": [self.result(entrant, r) for entrant in self.entrants for r in entrant.rs],
            "skipped": self.skipped,
        }

    def result(self, entrant, r):
        name, dtype = entrant.contender.name, entrant.dtype
        rates = self.rates(name, dtype, r)
        result = {
            "contender": name,
            "title": entrant.contender.title,
            "dtype": dtype,
            "r": r,
            "throughput_median": statistics.median(rates),
            "throughput_best": max(rates),
            "rounds": rates,
            "over_eager": ratio(rates, self.rates("eager", dtype, 0)),
            "vitome_over_it": ratio(self.rates("vitome", dtype, r), rates),
            "memory_bytes": entrant.memory,
            "difference": entrant.difference.get(r),
            "limit": (MERGED_LIMITS if r else LIMITS)[dtype],
        }
        if r:
            result["speedup"] = ratio(rates, self.rates(name, dtype, 0))
            if r in self.gflops:
                result["flop_ratio"] = self.gflops[0] / self.gflops[r]
                result["realised"] = result["speedup"] / result["flop_ratio"]
        return result


def ratio(rates, others):
    """Median over the rounds of how many times faster; None where one was not measured."""
    if rates is None or others is None:
        return None
    return statistics.median(rate / other for rate, other in zip(rates, others))
