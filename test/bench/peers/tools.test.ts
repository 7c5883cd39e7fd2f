import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ROWS } from '../../../bench/peers/rows.ts';
import { describeMachine, missingTools, type Tools, whyNot } from '../../../bench/peers/tools.ts';

const ALL: Tools = { nix: true, nginx: true, echoModule: '/echo.so', decoders: new Set(['zstd', 'xz']) };
const leftOut = (tools: Tools): string[] => ROWS.flatMap((row) => whyNot(row, tools)?.row ?? []);

test('where everything is there nothing is missing', () => {
  assert.deepEqual(missingTools(ALL), []);
  assert.deepEqual(leftOut(ALL), []);
});

test('without Nix every row is measured', () => {
  const tools = { ...ALL, nix: false };
  assert.deepEqual(missingTools(tools), ['Nix is missing, so Sluice runs alone: apt-get install nix-bin']);
  assert.deepEqual(leftOut(tools), []);
});

test('without the echo module delayed rows are left out', () => {
  const tools = { ...ALL, echoModule: undefined };
  assert.match(missingTools(tools).join(), /libnginx-mod-http-echo/);
  assert.deepEqual(
    leftOut(tools),
    ROWS.map(({ name }) => name).filter((name) => name.endsWith('ms')),
  );
});

test('without nginx only the graph is left, and one line says so', () => {
  const tools = { ...ALL, nginx: false, echoModule: undefined };
  assert.equal(missingTools(tools).length, 1);
  assert.deepEqual(
    leftOut(tools),
    ROWS.map(({ name }) => name).filter((name) => name !== 'graph'),
  );
});

test('a decoder that is missing takes only its part of the floor', () => {
  const tools = { ...ALL, decoders: new Set(['zstd']) };
  assert.deepEqual(missingTools(tools), ['xz is missing, so its floor has no decoding: apt-get install xz-utils']);
  assert.deepEqual(leftOut(tools), []);
});

test('a report says what it was measured with', async () => {
  const { sluice, node, cores, nix } = await describeMachine({ ...ALL, nix: false, nginx: false });
  assert.match(sluice, /^Sluice \d+\.\d+\.\d+/);
  assert.equal(node, `Node ${process.versions.node}`);
  assert.ok(cores > 0);
  assert.equal(nix, undefined);
});
