import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSandboxPath } from '../../../src/build/sandbox/sandbox-paths.ts';

const SPELLINGS = [
  ['/bin/sh', '/bin/sh', '/bin/sh', false],
  ['/bin/sh=/store/busybox', '/bin/sh', '/store/busybox', false],
  ['/dev/kvm?', '/dev/kvm', '/dev/kvm', true],
  ['/a=/b?', '/a', '/b', true],
  ['/a=/b=c', '/a', '/b=c', false],
  ['/a/', '/a/', '/a/', false],
] as const;

for (const [text, inside, outside, optional] of SPELLINGS) {
  test(`sandbox path ${text}`, () => assert.deepEqual(parseSandboxPath(text), { inside, outside, optional }));
}

const REJECTED = [
  ['bin', 'is relative'],
  ['/a=b', 'is relative outside'],
  ['a=/b', 'is relative inside'],
  ['/', 'is the root'],
  ['/=/b', 'is the root inside'],
  ['/a/..', 'is the root by another name'],
  ['', 'is empty'],
] as const;

for (const [text, why] of REJECTED) {
  test(`a sandbox path is rejected that ${why}`, () =>
    assert.throws(() => parseSandboxPath(text), /is not a path below/));
}
