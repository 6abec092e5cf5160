"""A network for the measurement alone: loopback without the machine's firewall, and the kernel's own congestion control.

What the machine has set is in every figure otherwise. BBR above all: it paces, so a timer sends what is due, on the core
and in the time of whoever runs there.
"""

import os
import pathlib
import subprocess
import sys

CONGESTION_CONTROL = pathlib.Path("/proc/sys/net/ipv4/tcp_congestion_control")
DEFAULT = "cubic"
PREPARE = f'ip link set lo up && echo {DEFAULT} >{CONGESTION_CONTROL} && exec "$@"'
ENTERED = "BENCH_HAS_ITS_NETWORK"


def enter():
    """Starts this program anew in a namespace of its own. Returns if it has one, or the reason why it gets none."""
    if os.environ.pop(ENTERED, None):
        return None
    unshare = ["unshare", "--net", *([] if os.geteuid() == 0 else ["--map-root-user"]), "sh", "-c", PREPARE, "sh"]
    try:
        tried = subprocess.run([*unshare, "true"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    except FileNotFoundError:
        return "unshare is not installed"
    if tried.returncode != 0:
        return (tried.stderr.strip().splitlines() or [f"unshare ended with {tried.returncode}"])[0]
    os.environ[ENTERED] = "yes"
    os.execvp(unshare[0], [*unshare, sys.executable, *sys.argv])


def congestion_control():
    return CONGESTION_CONTROL.read_text().strip()
