"""Commands that show what there is: parts, plugins, what is wrong."""
