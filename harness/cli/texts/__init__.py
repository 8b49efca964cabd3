"""Commands for a user's own texts: label them, begin a task of them, say how good labels are."""
