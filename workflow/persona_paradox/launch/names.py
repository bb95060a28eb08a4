"""What both ends of a launch agree on; it imports nothing, for every job loads it."""

# The socket of the server, in the environment of jobs.
ADDRESS = "PERSONA_LAUNCHER"
# Digits in front of what is asked: how many bytes follow.
LENGTH = 8
# Variables that Python and its libraries read when they are loaded: where they differ, so may they.
READ_EARLY = ("LANG", "LC_", "LD_", "MKL_", "MPL", "OMP_", "OPENBLAS_", "PYTHON", "TZ")


def read_early(environment: dict[str, str]) -> dict[str, str]:
    """Those of some variables that have been read when the server is ready."""
    return {name: value for name, value in environment.items() if name.startswith(READ_EARLY)}
