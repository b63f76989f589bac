#!/usr/bin/python3
"""Only for tools that know no pyproject.toml; all is in setup.cfg."""
import setuptools

setuptools.setup()
