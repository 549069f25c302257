#!/bin/sh
# mawk reads ahead, whoever writes; this asks it not to.
exec mawk -W interactive '{ print toupper($0) }'
