#!/usr/bin/python3
"""Cold load: fipd started with 100,000 bindings in a file, until the last route is in the kernel,
beside the raw netlink batches of the same writes. Medians of several runs, in turns."""
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

COUNT = int(os.environ.get("BENCH_COUNT", "100000"))
RUNS = int(os.environ.get("BENCH_RUNS", "3"))
BUILD = pathlib.Path(sys.argv[1]).resolve()


def address(base: int, i: int) -> str:
    value = base + i
    return ".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0))


def bindings() -> str:
    return "".join(
        f'[[floating_ip]]\nfloating = "{address(0xAC100000, i)}"\nfixed = "{address(0x0A400000, i)}"\n'
        f'interface = "tap1"\n\n' for i in range(COUNT))


def raw() -> float:
    out = subprocess.run([BUILD / "tests/bench/bench_raw_load", str(COUNT)], check=True,
                         capture_output=True, text=True).stdout
    return sum(map(float, out.split()))


def load(folder: pathlib.Path, namespace: str) -> dict:
    (folder / "fips").mkdir()
    # Written long ago, as at a reboot: a file that may still be written to is given a second.
    (folder / "fips/all.toml").write_text(bindings())
    os.utime(folder / "fips/all.toml", (time.time() - 60,) * 2)
    (folder / "fipd.toml").write_text(
        f'[control]\nsocket = "{folder}/fipd.sock"\n[store]\npath = "{folder}/fipd.db"\n'
        f'[files]\ndirectory = "{folder}/fips"\n[bird]\nenabled = false\n'
        f'[log]\nlevel = "{os.environ.get("BENCH_LOG", "error")}"\n')
    run = ["ip", "netns", "exec", namespace]
    fipctl = [str(BUILD / "daemon/control/fipctl/fipctl"), "--socket", f"{folder}/fipd.sock"]
    start = time.monotonic()
    daemon = subprocess.Popen([*run, str(BUILD / "daemon/fipd"), "--config",
                               str(folder / "fipd.toml")])
    try:
        while True:
            out = subprocess.run([*fipctl, "status", "--json"], capture_output=True, text=True)
            if out.returncode in (0, 9):
                status = json.loads(out.stdout)
                if status["floating_ips"].get("routed", 0) == COUNT:
                    break
            if time.monotonic() - start > 60:
                sys.exit(f"not loaded: {out.stdout}{out.stderr}")
            time.sleep(0.01)
        took = time.monotonic() - start
        proc = pathlib.Path(f"/proc/{daemon.pid}/status").read_text()
        peak = int(proc.split("VmHWM:")[1].split()[0]) / 1024
        return {"ms": took * 1000, "peak_mb": peak,
                "slice_ms": status["counters"]["longest_slice_ns"] / 1e6}
    finally:
        daemon.terminate()
        daemon.wait()


def main():
    ours, raws = [], []
    for run in range(RUNS):
        namespace = f"fipd-bench-{os.getpid()}-{run}"
        subprocess.run(["ip", "netns", "add", namespace], check=True)
        try:
            subprocess.run(["ip", "-n", namespace, "link", "add", "tap1", "type", "veth", "peer",
                            "name", "peer1"], check=True)
            for link in ("lo", "tap1", "peer1"):
                subprocess.run(["ip", "-n", namespace, "link", "set", link, "up"], check=True)
            with tempfile.TemporaryDirectory(prefix="fipd-bench-") as folder:
                ours.append(load(pathlib.Path(folder), namespace))
        finally:
            subprocess.run(["ip", "netns", "del", namespace], check=True)
        raws.append(raw())
    middle = statistics.median(each["ms"] for each in ours)
    limit = statistics.median(raws)
    print(f"cold load of {COUNT} bindings from a TOML file, medians of {RUNS} runs")
    print(f"fipd, from exec to the last route: {middle:.0f} ms | raw batches: {limit:.0f} ms | "
          f"ratio {middle / limit:.2f}")
    print(f"peak memory: {statistics.median(each['peak_mb'] for each in ours):.0f} MB | longest "
          f"slice of a pass: {max(each['slice_ms'] for each in ours):.1f} ms")


if __name__ == "__main__":
    main()
