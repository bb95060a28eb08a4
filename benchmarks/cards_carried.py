"""The script for graphics cards on a machine without a network: what is carried there, in parts.

    python benchmarks/cards_carried.py pack carried            # here: folders carried/1, carried/2
    python3 benchmarks/cards_carried.py run carried/1          # there: builds, tries random weights
    python3 benchmarks/cards_carried.py run carried/2          # there: measures all, 8 minutes

What travels beside the repository: what llama.cpp's library for CUDA is compiled from, two packages
of Python, and SmolLM2 as it was shipped, in two parts. There it needs nvcc, cuBLAS (NVIDIA's own or
the package nvidia-cublas), CMake, Ninja, and Python with NumPy, Jinja2, PyYAML and tqdm. What `run`
makes stays in a folder (`--keep`) for the next call. It compiles for the card that is there alone.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MODEL = ROOT / "resources" / "models" / "smollm2_135m_instruct" / "source.gguf"
SOURCES, SUM = "llama_cpp.tar.xz", "source.gguf.sha256"
PARTS = 2
# Of llama-cpp-python's sources what the library itself is made of.
LLAMA = "vendor/llama.cpp"
NEEDED = re.compile(
    r"llama_cpp/[^/]*\.py$"
    rf"|{LLAMA}/(CMakeLists\.txt|LICENSE|(cmake|include|licenses|src|vendor)/)"
    rf"|{LLAMA}/ggml/(CMakeLists\.txt|cmake/|include/|src/([^/]*|ggml-(cpu|cuda)/.*)$)"
)
# Cache of F16, one card, no driver at build time: what else there is takes time to compile.
OPTIONS = {
    "GGML_CUDA": "ON",
    "GGML_CUDA_FA_QUANTS": "f16-f16",
    "GGML_CUDA_NCCL": "OFF",
    "GGML_CUDA_NO_VMM": "ON",
    "GGML_CUDA_COMPRESSION_MODE": "none",
    "LLAMA_BUILD_COMMON": "OFF",
    "LLAMA_BUILD_APP": "OFF",
    "LLAMA_OPENSSL": "OFF",
    "BUILD_SHARED_LIBS": "ON",
    "CMAKE_BUILD_TYPE": "Release",
}


# --- here ---------------------------------------------------------------------------------


def pack(folder: Path) -> None:
    """Write what travels, in parts."""
    if not MODEL.is_file():
        sys.exit(f"error: {MODEL} is missing; run make once, which fetches it")
    folders = [folder / str(number + 1) for number in range(PARTS)]
    for one in folders:
        one.mkdir(parents=True)
    pins = dict(
        line.split("==")
        for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
        if line[:1] != "#"
    )
    with tempfile.TemporaryDirectory() as place:
        name = "llama_cpp_python"
        _download(f"{name}=={pins[name]}", Path(place), "--no-binary", name)
        (source,) = Path(place).glob("*.tar.gz")
        _trim(source, folders[0] / SOURCES)
    for name in ("gguf", "diskcache"):
        _download(f"{name}=={pins[name]}", folders[0], "--only-binary", name)
    content = MODEL.read_bytes()
    size = -(-len(content) // PARTS)
    for number, one in enumerate(folders):
        part = content[number * size : (number + 1) * size]
        (one / f"source.gguf.{number}").write_bytes(part)
    (folders[0] / SUM).write_text(hashlib.sha256(content).hexdigest())
    for one in folders:
        print(f"{one}: {sum(file.stat().st_size for file in one.iterdir()) / 2**20:.1f} MiB")


def _download(what: str, to: Path, *options: str) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(to)]
    subprocess.run([*command, *options, what], check=True)


def _trim(source: Path, result: Path) -> None:
    """The needed files of an archive of sources, packed tightly."""
    with tarfile.open(source) as old, tarfile.open(result, "w:xz") as new:
        for member in old:
            _, _, name = member.name.partition("/")
            if member.isfile() and NEEDED.match(name):
                # Anew: a long old name would be kept in the header.
                info = tarfile.TarInfo(name)
                info.size = member.size
                new.addfile(info, old.extractfile(member))


# --- there --------------------------------------------------------------------------------


def run(options: argparse.Namespace) -> None:
    """Take a part over; build; measure random weights, or all where all parts are there."""
    keep: Path = options.keep
    keep.mkdir(parents=True, exist_ok=True)
    for file in options.folder.iterdir():
        shutil.copyfile(file, keep / file.name)
    if not (keep / SOURCES).is_file():
        sys.exit(f"error: {keep} lacks {SOURCES}; run the first part on this machine before")
    cuda = _cuda()
    cublas = _cublas(cuda)
    package = keep / "package"
    if not (package / "llama_cpp" / "lib").exists():
        build(keep, package, _toolkit(keep / "toolkit", cuda, cublas), options.architecture)
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(map(str, [package, *sorted(keep.glob("*.whl"))])),
        "LD_LIBRARY_PATH": os.pathsep.join([str(cublas), os.environ.get("LD_LIBRARY_PATH", "")]),
    }
    output = ["--output", str(options.output)]
    if not join(keep, environment):
        output.append("--quick")
    command = [sys.executable, str(ROOT / "benchmarks" / "cards.py"), *output, *options.rest]
    sys.exit(
        subprocess.run([*command, "--model", str(keep)], env=environment, check=False).returncode
    )


def build(keep: Path, package: Path, toolkit: Path, architecture: str) -> None:
    """Compile llama.cpp's library for the card, into the package of its Python sources."""
    started = time.monotonic()
    with tarfile.open(keep / SOURCES) as archive:
        archive.extractall(package, filter="data")
    place = keep / "build"
    settings = OPTIONS | {
        "CMAKE_CUDA_ARCHITECTURES": architecture,
        "CMAKE_CUDA_COMPILER": str(toolkit / "bin" / "nvcc"),
        "CUDAToolkit_ROOT": str(toolkit),
    }
    defined = [f"-D{name}={value}" for name, value in settings.items()]
    configure = ["cmake", "-G", "Ninja", "-S", str(package / LLAMA), "-B", str(place), *defined]
    cores = str(len(os.sched_getaffinity(0)))
    make = ["cmake", "--build", str(place), "--target", "llama", "--parallel", cores]
    with (keep / "build.log").open("w") as log:
        for command in (configure, make):
            if subprocess.run(command, stdout=log, stderr=log, check=False).returncode:
                tail = (keep / "build.log").read_text(errors="replace")[-4000:]
                sys.exit(f"{tail}\nerror: llama.cpp cannot be built (above, {keep / 'build.log'})")
    (package / "llama_cpp" / "lib").symlink_to(place / "bin")
    print(f"llama.cpp built in {time.monotonic() - started:.0f} s", flush=True)


def join(keep: Path, environment: dict[str, str]) -> bool:
    """Whether SmolLM2 is there: joined, checked, and written as F16."""
    model = keep / "source.gguf"
    parts = [keep / f"{model.name}.{number}" for number in range(PARTS)]
    if not all(part.is_file() for part in parts):
        return False
    content = b"".join(part.read_bytes() for part in parts)
    if hashlib.sha256(content).hexdigest() != (keep / SUM).read_text():
        sys.exit(f"error: the parts of {model} do not fit together; pack and carry them again")
    model.write_bytes(content)
    prepared = keep / "model.gguf"
    program = (
        f"import sys; from pathlib import Path; sys.path.insert(0, {str(ROOT / 'benchmarks')!r})\n"
        "import paths, prepare_model\n"
        f"prepare_model.quantize(Path({str(model)!r}), Path({str(prepared)!r}), 'f16')"
    )
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
    return True


def _cuda() -> Path:
    """The folder of the CUDA toolkit, as its compiler has it."""
    nvcc = shutil.which("nvcc") or "/usr/local/cuda/bin/nvcc"
    if not Path(nvcc).is_file():
        sys.exit("error: there is no nvcc; put CUDA's compiler on the PATH")
    # It may be a link, or a script that calls the compiler.
    done = subprocess.run([nvcc, "-v", "__none"], capture_output=True, text=True, check=False)
    found = re.search(r"^#\$ TOP=(.*)$", done.stdout + done.stderr, re.MULTILINE)
    return Path(found[1]).resolve() if found else Path(nvcc).resolve().parents[1]


def _cublas(cuda: Path) -> Path:
    """The folder of cuBLAS: the toolkit's, or that of NVIDIA's package for Python."""
    places = [cuda / "lib64", *(lib for one in sys.path for lib in Path(one).glob("nvidia/*/lib"))]
    for place in places:
        if list(place.glob("libcublas.so*")):
            return place
    sys.exit("error: there is no cuBLAS; install the package nvidia-cublas, or all of CUDA")


def _toolkit(place: Path, cuda: Path, cublas: Path) -> Path:
    """A CUDA toolkit in which CMake finds cuBLAS too: made of both, where they are apart."""
    if cublas.parent == cuda and (cublas / "libcublas.so").exists():
        return cuda
    # CMake and the compiler follow links to where the compiler is.
    shutil.copytree(cuda / "bin", place / "bin", dirs_exist_ok=True)
    _link(cuda / "nvvm", place / "nvvm")
    for origin in (cuda, cublas.parent):
        libraries = next(one for one in (origin / "lib64", origin / "lib") if one.is_dir())
        for file in [*_children(origin / "include"), *_children(libraries)]:
            folder = "lib64" if file.parent == libraries else "include"
            _link(file, place / folder / file.name)
            # NVIDIA's packages leave out the name that the linker looks for.
            if found := re.fullmatch(r"(lib(?:cublas|cublasLt)\.so)\.\d+", file.name):
                _link(file, place / folder / found[1])
    return place


def _children(folder: Path) -> Iterator[Path]:
    yield from sorted(folder.iterdir())


def _link(origin: Path, name: Path) -> None:
    name.parent.mkdir(parents=True, exist_ok=True)
    if origin.exists() and not name.is_symlink():
        name.symlink_to(origin)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("command", choices=("pack", "run"), help="here, and where the card is")
    parser.add_argument("folder", type=Path, help="folder to make, or one of those that came")
    place = Path(tempfile.gettempdir()) / "cards"
    parser.add_argument("--keep", type=Path, default=place, help="what is there for the next call")
    parser.add_argument("--output", type=Path, default=Path("cards.jsonl"), help="what is found")
    parser.add_argument("--architecture", default="native", help="of the card, as CMake has it")
    given, rest = parser.parse_known_args()
    given.rest = rest  # what cards.py is given besides
    if given.command == "pack":
        pack(given.folder)
    else:
        run(given)
