import assert from 'node:assert/strict';
import { test } from 'node:test';
import { outLinks } from '../../src/cli/out-links.ts';
import { pathNamed } from '../support/transfers.ts';

const outputs = (...names: readonly string[]) => ({ outputs: new Map(names.map((name) => [name, pathNamed(name)])) });

test('each output has a symlink, named after it where it is not out, and numbered from the second request on', () => {
  const links = outLinks('result', [outputs('out', 'dev'), outputs('out'), outputs('lib')]);
  assert.deepEqual(
    [...links],
    [
      ['result', pathNamed('out')],
      ['result-dev', pathNamed('dev')],
      ['result-1', pathNamed('out')],
      ['result-2-lib', pathNamed('lib')],
    ],
  );
});
