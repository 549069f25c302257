// SPDX-License-Identifier: MIT
// installed.mjs - the library as its users have it: installed below a folder of its own, found by
// pkg-config.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { BUILD, REPO } from './server.mjs';

/** Whether threads are watched by ThreadSanitizer, in a build of its own: `tools/test threads`. */
export const WATCHES_THREADS = process.env.HTTPSOCKET_SANITIZE === 'thread';
const THREADS = path.join(REPO, 'build-threads');

const run = (command, args, env = {}) =>
  execFileSync(command, args, {
    encoding: 'utf8',
    env: { ...process.env, ...env },
    maxBuffer: 1 << 26,
  });

/** The build folder to be installed: that of the tests, or the other, brought up to date. */
function built() {
  if (!WATCHES_THREADS) return BUILD;
  const options =
    '--buildtype=debugoptimized -Db_sanitize=thread -Db_lundef=false -Dtests=disabled';
  const command = `test -f $1/build.ninja || meson setup $1 ${options}; meson compile -C $1`;
  run('flock', [`${THREADS}.lock`, 'sh', '-c', command, 'sh', THREADS]);
  return THREADS;
}

/**
 * The installed library; `remove()` it afterwards. `compiles(source, {statically, packages})` gives
 * a program of it, with the sanitizers that the library has.
 */
export class Installed {
  constructor() {
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'httpsocket-library-'));
    run('meson', ['install', '-C', built(), '--no-rebuild', '--quiet', '--destdir', this.folder]);
    const found = run('find', [this.folder, '-name', 'httpsocket.pc']).trim();
    this.libraries = path.dirname(path.dirname(found));
    this.shared = path.join(this.libraries, 'libhttpsocket.so.0');
    this.archive = path.join(this.libraries, 'libhttpsocket.a');
    const names = run('nm', ['-D', this.shared]);
    this.sanitizers = names.includes('__asan')
      ? ['-fsanitize=address,undefined']
      : names.includes('__tsan')
        ? ['-fsanitize=thread']
        : [];
    // Only what we have installed is below the folder; other packages are where they always are.
    this.description = found;
    const prefix = run('pkg-config', ['--variable=prefix', found]).trim();
    this.pkgConfig = {
      PKG_CONFIG_PATH: [path.dirname(found), process.env.PKG_CONFIG_PATH].filter(Boolean).join(':'),
    };
    this.prefix = path.join(this.folder, prefix);
    this.define = `--define-variable=prefix=${this.prefix}`;
  }

  /** What the archive needs: of other packages their shared libraries are enough. */
  #needs() {
    const requires = run('pkg-config', ['--print-requires-private', 'httpsocket'], this.pkgConfig);
    const more = /^Libs.private: (.*)$/m.exec(fs.readFileSync(this.description, 'utf8'))[1];
    return `${run('pkg-config', ['--libs', ...requires.trim().split(/\s+/)])} ${more}`;
  }

  flags(packages = [], statically = false) {
    const own = run(
      'pkg-config',
      [this.define, '--cflags', '--libs', 'httpsocket'],
      this.pkgConfig,
    );
    const others = packages.length ? run('pkg-config', ['--cflags', '--libs', ...packages]) : '';
    const libraries = statically
      ? `${own.replace('-lhttpsocket', '-l:libhttpsocket.a')} ${this.#needs()}`
      : own;
    return `${libraries} ${others}`.trim().split(/\s+/);
  }

  compiles(source, { statically = false, packages = [] } = {}) {
    const cxx = source.endsWith('.cc');
    const file = path.join(
      this.folder,
      path.basename(source).replace(/\.\w+$/, '') + (statically ? '-static' : ''),
    );
    run(cxx ? 'c++' : 'cc', [
      ...(cxx ? ['-std=c++17'] : ['-std=c11', '-D_DEFAULT_SOURCE']),
      '-g',
      '-Wall',
      '-Wextra',
      '-Werror',
      '-pedantic',
      ...this.sanitizers,
      source,
      ...this.flags(packages, statically),
      `-Wl,-rpath,${this.libraries}`,
      '-pthread',
      '-o',
      file,
    ]);
    return file;
  }

  remove() {
    fs.rmSync(this.folder, { recursive: true });
  }
}
