"""Labels for a user's own texts: the loop on a task made from a file and a list of labels."""
