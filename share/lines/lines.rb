# SPDX-License-Identifier: MIT
# lines.rb - has a Ruby program write at once into a pipe. httpsocketd names it in RUBYOPT for stdio
# programs (docs/decisions/stdio-pipe.md).
$stdout.sync = true if $stdout.stat.pipe?
