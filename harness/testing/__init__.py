"""What plugin authors and this project test with: the fake chat service and its dialects."""
