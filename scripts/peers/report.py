"""Sessions as a Markdown table."""

COLUMNS = (
    "contender", "dtype", "r", "inputs/s", "best", "of eager", "ViToMe is", "by merging", "of the FLOPs'", "memory, MB",
    "difference",
)  # fmt: skip
LEGEND = """\
Inputs/s: median of the rounds, and the best. Ratios are medians of the rounds' own ratios: *of eager*, to PyTorch eager
without merging in the same dtype; *ViToMe is*, ViToMe with the same dtype and r to this contender; *by merging*, to the
same contender without; *of the FLOPs'*, the share of the fall in FLOPs that became speed. Memory is the peak of resident
memory while it measured, and in brackets while it loaded (and converted or compiled). Difference: the largest of the
logits to timm's in float32 with the same weights, as a share of the largest logit; an exclamation mark where that is more
than the dtype explains.
"""


def times(value):
    return "" if value is None else f"{value:.2f}x"


def rate(value):
    return f"{value:.2f}" if value < 100 else f"{value:.1f}"


def megabytes(memory):
    running, loading = memory.get("running"), memory.get("loading")
    return "" if not running or not loading else f"{running / 1e6:.0f} ({loading / 1e6:.0f})"


def differs(result):
    return result["difference"] is not None and not result["difference"] <= result["limit"]


def difference(result):
    if result["difference"] is None:
        return ""
    return f"{result['difference']:.1e}" + (" !" if differs(result) else "")


def cells(result):
    realised = result.get("realised")
    return (
        result["title"],
        result["dtype"],
        str(result["r"]),
        rate(result["throughput_median"]),
        rate(result["throughput_best"]),
        times(result["over_eager"]),
        times(result["vitome_over_it"]) if result["contender"] != "vitome" else "",
        times(result.get("speedup")),
        "" if realised is None else f"{realised:.0%}",
        megabytes(result["memory_bytes"]),
        difference(result),
    )


def row(texts):
    return "| " + " | ".join(texts) + " |"


def table(case):
    lines = [f"## {case['title']}", ""]
    tokens = [f"{case['num_tokens']} tokens"] if case["num_tokens"] else []
    notes = tokens + [case["note"]] * bool(case["note"])
    notes.append(f"{case['rounds']} rounds of {case['seconds']:g} s for each")
    lines += ["; ".join(notes), ""]
    if case["results"]:
        lines += [row(COLUMNS), row(["---"] * 2 + ["--:"] * (len(COLUMNS) - 2))]
        lines += [row(cells(result)) for result in case["results"]] + [""]
    lines += [f"Left out: {entry['title']}: {entry['reason']}" + "  " for entry in case["skipped"]]
    return "\n".join(lines).rstrip() + "\n"


def host_lines(host):
    versions = ", ".join([*host["vitome"], *(f"{name} {value}" for name, value in host["versions"].items())])
    return (
        f"{host['cpu']} ({host['vendor']} {host['family_model']}), {host['cores']} cores, {' '.join(host['flags'])}; "
        f"{host['system']}; {versions}. Load average at the start: {host['load_average']:.1f}."
    )


def markdown(document):
    parts = [host_lines(document["host"]) + "\n", *map(table, document["cases"]), LEGEND]
    return "\n".join(parts)
