#!/bin/sh
# Says what it hears.
exec cat
