"""Packages of parts, written from templates: what a third party begins with."""
