#!/usr/bin/env bash
# prometheus-client 0.26.0, CPython 3.11, PROMETHEUS_MULTIPROC_DIR.
# A gauge without labels begins with 0 as it is made, and writes that into a file of the process that made it. Where an app is loaded
# before its workers are forked (gunicorn's --preload), the parent has made the gauge, never sets it, and lives as long as they do: a gauge
# in mode `livemin` says 0 for ever, one in `liveall` has a series more. A gauge with labels writes nothing before its first value.
# Seen: "livemin of two workers at 5 and 7: 0.0; with labels: 5.0".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install prometheus-client==0.26.0
mkdir "$folder/shared"
cat >"$folder/seen.py" <<'PYTHON'
import os

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.multiprocess import MultiProcessCollector

plain = Gauge("plain", "Made before the fork.", registry=None, multiprocess_mode="livemin")
labelled = Gauge("labelled", "Made before the fork.", ["kind"], registry=None, multiprocess_mode="livemin")
for value in (5, 7):
    child = os.fork()
    if not child:
        plain.set(value)
        labelled.labels("of workers").set(value)
        os._exit(0)
    os.waitpid(child, 0)
registry = CollectorRegistry()
MultiProcessCollector(registry)
told = {metric.name: metric.samples[0].value for metric in registry.collect()}
print(f"livemin of two workers at 5 and 7: {told['plain']}; with labels: {told['labelled']}")
assert told == {"plain": 0.0, "labelled": 5.0}, told
PYTHON
PROMETHEUS_MULTIPROC_DIR="$folder/shared" "$folder/venv/bin/python" "$folder/seen.py"
