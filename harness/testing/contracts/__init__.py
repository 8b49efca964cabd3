"""Contract suites: what every part of a kind must do, built in or not."""
