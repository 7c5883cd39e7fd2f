import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type LogMessage, parseLogLine, printLogLine } from '../../src/formats/structured-log.ts';

/** As nixpkgs' setup.sh writes phases, and as Nix 2.8 writes the others with `--log-format internal-json`. */
const ACCEPTED = [
  ['@nix { "action": "setPhase", "phase": "buildPhase" }', { action: 'setPhase', phase: 'buildPhase' }],
  ['@nix {"action":"msg","level":3,"msg":"hello"}', { action: 'msg', level: 3, msg: 'hello' }],
  [
    '@nix {"action":"start","id":1,"level":4,"parent":0,"text":"downloading","type":101,"fields":["https://x"]}',
    { action: 'start', id: 1, level: 4, type: 101, text: 'downloading', fields: ['https://x'] },
  ],
  [
    '@nix {"action":"start","id":1,"level":4,"text":"","type":0}',
    { action: 'start', id: 1, level: 4, type: 0, text: '', fields: [] },
  ],
  [
    '@nix {"action":"result","fields":[1,2,0,0],"id":1,"type":105}',
    { action: 'result', id: 1, type: 105, fields: [1, 2, 0, 0] },
  ],
  ['@nix {"action":"stop","id":1}', { action: 'stop', id: 1 }],
] as const satisfies readonly (readonly [string, LogMessage])[];

const FOR_PEOPLE = [
  ['', 'nothing'],
  ['hello', 'a line'],
  [' @nix {"action":"stop","id":1}', 'a space before'],
  ['@nix{"action":"stop","id":1}', 'no space after the mark'],
  ['@nix {"action":"stop","id":1', 'JSON without its end'],
  ['@nix []', 'a list'],
  ['@nix null', 'nothing in JSON'],
  ['@nix {"action":"explode"}', 'an unknown action'],
  ['@nix {"action":1}', 'an action that is a number'],
  ['@nix {"phase":"buildPhase"}', 'no action'],
  ['@nix {"action":"setPhase","phase":1}', 'a phase that is a number'],
  ['@nix {"action":"msg","msg":"x"}', 'no level'],
  ['@nix {"action":"stop","id":-1}', 'an id below zero'],
  ['@nix {"action":"stop","id":1e300}', 'an id beyond all ids'],
  ['@nix {"action":"result","id":1,"type":105,"fields":{}}', 'fields that are no list'],
  ['@nix {"action":"result","id":1,"type":105,"fields":[[]]}', 'a field that is a list'],
  [`@nix {"action":"result","id":1,"type":105,"fields":[${'0,'.repeat(64)}0]}`, 'too many fields'],
  [`@nix {"action":"setPhase","phase":"${'x'.repeat(70_000)}"}`, 'a line that is too long'],
  [`@nix {"action":"stop","id":1,"x":${'['.repeat(30_000)}${']'.repeat(30_000)},"\\\\":1}`, 'lists without end'],
] as const;

describe('a line of a log', () => {
  for (const [line, wanted] of ACCEPTED) {
    test(`is for programs: ${line}`, () => {
      assert.deepEqual(parseLogLine(line), wanted);
      assert.deepEqual(parseLogLine(printLogLine(wanted)), wanted);
    });
  }

  for (const [line, why] of FOR_PEOPLE) {
    test(`is for people: ${why}`, () => assert.equal(parseLogLine(line), undefined));
  }
});
