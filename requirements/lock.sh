#!/bin/sh
# Resolves every set of dependencies anew: versions and hashes, no host names.
set -eu
cd "$(dirname "$0")/.."
compile() {
    .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-header --no-annotate --no-emit-index-url --no-emit-find-links "$@"
}
# The larger set decides; what is part of it agrees with it.
compile requirements/dev.in -o requirements/dev.txt
compile -c requirements/dev.txt requirements/local.in -o requirements/local.txt
compile -c requirements/dev.txt container/requirements.in -o container/requirements.txt
compile -c requirements/dev.txt layers/dependencies/requirements.in -o layers/dependencies/requirements.txt
compile -c requirements/dev.txt layers/dependencies/before-3.14.in -o layers/dependencies/before-3.14.txt
compile -c requirements/dev.txt requirements/build.in -o requirements/build.txt
compile requirements/sam.in -o requirements/sam.txt
compile requirements/emulator.in -o requirements/emulator.txt
compile -c requirements/dev.txt requirements/bench.in -o requirements/bench.txt
compile requirements/oracle.in -o requirements/oracle.txt
compile requirements/spark.in -o requirements/spark.txt
compile -c requirements/bench.txt requirements/torch.in -o requirements/torch.txt
# Only some indexes have the build without CUDA; the others leave the file as it is.
compile -c requirements/bench.txt ${PIP_FIND_LINKS:+--find-links "$PIP_FIND_LINKS"} \
    requirements/torch-cpu.in -o requirements/torch-cpu.txt ||
    echo "no index here has torch without CUDA: requirements/torch-cpu.txt stays as it is" >&2
