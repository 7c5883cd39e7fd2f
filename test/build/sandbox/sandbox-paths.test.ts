import assert from 'node:assert/strict';
import { test } from 'node:test';
import { impureHostPaths, parseSandboxPath } from '../../../src/build/sandbox/sandbox-paths.ts';

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

const ASKED = [
  ['/opt/sdk', ['/opt/sdk']],
  ['/opt/sdk', ['/usr', '/opt/']],
  ['/opt/./sdk/', ['/opt']],
  ['/opt/sdk', ['/']],
] as const;

for (const [wanted, allowed] of ASKED) {
  test(`a derivation may ask for ${wanted} where ${allowed} is allowed`, () =>
    assert.deepEqual(impureHostPaths('x.drv', [wanted], allowed), [
      { inside: '/opt/sdk', outside: '/opt/sdk', optional: true },
    ]));
}

const FORBIDDEN = [
  ['/opt/sdk', [], 'nothing is allowed'],
  ['/optical', ['/opt'], 'only a part of its name is allowed'],
  ['/opt', ['/opt/sdk'], 'only what is below it is allowed'],
  ['/opt/../etc', ['/opt'], 'it leads elsewhere'],
  ['opt/sdk', ['/opt', 'opt'], 'it is relative'],
  ['/', ['/'], 'it is the root'],
] as const;

for (const [wanted, allowed, why] of FORBIDDEN) {
  test(`a derivation may not ask for ${wanted} where ${why}`, () =>
    assert.throws(() => impureHostPaths('x.drv', [wanted], allowed), /asks for .* does not allow/));
}
