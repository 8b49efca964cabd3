"""From a reply to a label, or to mentions on tokens."""
