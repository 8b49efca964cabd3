"""The command line. Each command's work is imported when the command runs."""

from harness.cli.app import main as main
