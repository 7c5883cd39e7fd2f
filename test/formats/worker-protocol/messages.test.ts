import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FormatError } from '../../../src/errors.ts';
import { type DaemonMessage, readDaemonMessage } from '../../../src/formats/worker-protocol/messages.ts';
import { feed, readsAs, type Token, wire } from '../../support/wire.ts';

const [NEXT, READ, LAST, ERROR] = [0x6f6c6d67, 0x64617461, 0x616c7473, 0x63787470] as const;
const [START, STOP, RESULT] = [0x53545254, 0x53544f50, 0x52534c54] as const;

/** After NixOS/nix 2.35 libstore/worker-protocol-connection.cc, processStderr; libutil/serialise.cc, readError. */
const MESSAGES: readonly (readonly [what: string, minor: number, tokens: readonly Token[], DaemonMessage])[] = [
  ['a line', 34, [NEXT, 'hello\n'], { kind: 'next', text: 'hello\n' }],
  ['a wish for data', 21, [READ, 65_536], { kind: 'read', length: 65_536 }],
  ['the last message', 34, [LAST], { kind: 'last' }],
  [
    'an error of today',
    34,
    [ERROR, 'Error', 0, 'Error', 'no such path', 0, 2, 0, 'inner', 0, 'outer'],
    { kind: 'error', error: { message: 'no such path', traces: ['inner', 'outer'] } },
  ],
  ['an error of before', 25, [ERROR, 'bad', 1], { kind: 'error', error: { message: 'bad', traces: [] } }],
  [
    'the start of an activity',
    34,
    [START, 2n ** 63n + 1n, 3, 105, 'building x', 3, 1, '/nix/store/x.drv', 1, '', 0, 1, 5],
    {
      kind: 'startActivity',
      id: 2n ** 63n + 1n,
      level: 3,
      type: 105,
      text: 'building x',
      fields: ['/nix/store/x.drv', '', 1],
      parent: 5n,
    },
  ],
  ['the end of an activity', 34, [STOP, 7], { kind: 'stopActivity', id: 7n }],
  ['a line of a log', 34, [RESULT, 7, 101, 1, 1, 'line'], { kind: 'result', id: 7n, type: 101, fields: ['line'] }],
];

describe('a daemon tells', () => {
  for (const [what, minor, tokens, expected] of MESSAGES) {
    test(what, () => readsAs(() => readDaemonMessage(minor), wire(...tokens), expected));
  }
});

const REJECTED: readonly (readonly [why: string, tokens: readonly Token[]])[] = [
  ['something of unknown kind', [0x12345678]],
  ['data that nobody asked for', [0x64617416, 'data']],
  ['a line longer than 1 MiB', [NEXT, 1024 * 1024 + 1]],
  ['a field of unknown type', [RESULT, 7, 101, 1, 2]],
  ['more fields than make sense', [RESULT, 7, 101, 1_001]],
  ['an error with a position', [ERROR, 'Error', 0, 'Error', 'bad', 1]],
  ['an error with endless traces', [ERROR, 'Error', 0, 'Error', 'bad', 0, 2n ** 40n]],
];

for (const [why, tokens] of REJECTED) {
  test(`a daemon may not tell ${why}`, () => {
    assert.throws(() => feed(readDaemonMessage(34), wire(...tokens)), FormatError);
  });
}
