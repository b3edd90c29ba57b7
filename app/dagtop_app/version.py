"""The version, in a file that costs nothing to import: `dagtop --version` reads nothing else."""

VERSION = "0.1.0"
