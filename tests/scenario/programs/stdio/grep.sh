#!/bin/sh
# What has an O in it.
exec grep O
