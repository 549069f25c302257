// SPDX-License-Identifier: MIT
// hardening.test.mjs - how the programs of this build were compiled and linked, and what systemd
// says of their unit.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import path from 'node:path';
import { BUILD } from '../lib/server.mjs';
import { test } from '../lib/test.mjs';

const readelf = (file, ...flags) =>
  execFileSync('readelf', ['-W', ...flags, path.join(BUILD, file)], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
const symbols = (file) => readelf(file, '--dyn-syms');
const isSanitized = /__asan_init/.test(symbols('httpsocketd'));

for (const file of ['httpsocketd', 'httpsocket']) {
  test(`${file} is loaded wherever the kernel likes (PIE)`, () => {
    assert.match(readelf(file, '-h'), /Type:\s+DYN/);
    assert.match(readelf(file, '-d'), /FLAGS_1.*PIE/);
  });

  test(`${file} has its tables of addresses read-only before it runs (full RELRO)`, () => {
    assert.match(readelf(file, '-l'), /GNU_RELRO/);
    assert.match(readelf(file, '-d'), /FLAGS.*NOW/);
  });

  test(`${file} executes no stack, and has no page that is writable and executable`, () => {
    const segments = readelf(file, '-l');
    assert.match(segments, /GNU_STACK.* RW /);
    assert.doesNotMatch(segments, /LOAD.* RWE /);
  });

  test(`${file} notices a stack that was overrun`, () => {
    assert.match(symbols(file), /__stack_chk_fail/);
  });

  test(`${file} has glibc's checks of buffers, unless a sanitizer has its own`, () => {
    if (!isSanitized) assert.match(symbols(file), /__(memcpy|snprintf|vsnprintf|read)_chk/);
  });

  test(`${file} marks where indirect calls may land (CET)`, () => {
    if (process.arch !== 'x64') return;
    const code = execFileSync('objdump', ['-d', '-j', '.text', path.join(BUILD, file)], {
      encoding: 'utf8',
      maxBuffer: 1 << 30,
    });
    assert.ok(code.split('endbr64').length > 100);
  });
}

test('systemd counts the exposure of the unit below 3', (t) => {
  const unit = path.join(BUILD, 'httpsocketd.service');
  const args = ['security', '--offline=true', '--threshold=30', '--no-pager', unit];
  const { error, status, stdout, stderr } = spawnSync('systemd-analyze', args, {
    encoding: 'utf8',
  });
  if (error) return t.skip('systemd is not installed');
  assert.equal(status, 0, stdout + stderr);
});
