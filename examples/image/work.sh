#!/bin/sh
# Runs for every message; its exit code decides what becomes of it.
echo "working on $Message"
