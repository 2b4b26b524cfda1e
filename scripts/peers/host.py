"""What the figures were measured on."""

import importlib.metadata
import os
import pathlib
import platform
import subprocess

CPU_FLAGS = (
    "avx2",
    "avx512f",
    "avx512_vnni",
    "avx_vnni",
    "avx512_bf16",
    "amx_bf16",
    "amx_int8",
    "asimd",
    "bf16",
    "i8mm",
)
PACKAGES = ("torch", "timm", "onnxruntime", "openvino", "nncf")


def cpuinfo(*keys):
    """The first value in /proc/cpuinfo that goes by one of the names; empty where there is none."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    pairs = (line.partition(":") for line in lines)
    return next((value.strip() for key, _, value in pairs if key.strip() in keys), "")


def cpus():
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def fast_bf16(host):
    """Whether the CPU multiplies bf16 faster than float32, as vitome decides it."""
    flags = set(host["flags"])
    return bool({"amx_bf16", "bf16"} & flags) or ("avx512_bf16" in flags and host["vendor"] == "AuthenticAMD")


def version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def vitome_version(program):
    """What it says of itself, line by line."""
    return subprocess.run([program, "--version"], capture_output=True, text=True).stdout.splitlines()


def describe(vitome):
    present = set(cpuinfo("flags", "Features").split())
    versions = {package: version(package) for package in PACKAGES}
    return {
        "cpu": cpuinfo("model name", "Model") or platform.machine(),
        "vendor": cpuinfo("vendor_id"),
        "family_model": "/".join(filter(None, (cpuinfo("cpu family"), cpuinfo("model")))),
        "flags": [flag for flag in CPU_FLAGS if flag in present],
        "cores": cpus(),
        "system": f"{platform.system()} {platform.release()}",
        "load_average": os.getloadavg()[0],
        "vitome": vitome_version(vitome),
        "versions": {"python": platform.python_version(), **{k: v for k, v in versions.items() if v}},
    }
