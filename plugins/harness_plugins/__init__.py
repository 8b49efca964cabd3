"""The built-in plugins, registered through the same hooks that a third party uses."""
