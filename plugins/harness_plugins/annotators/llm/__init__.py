"""The annotator that asks a language model: prompts, parsing, alignment, written demonstrations."""
