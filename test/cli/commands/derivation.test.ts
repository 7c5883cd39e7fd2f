/** `derivation`: flags and errors; test/interop/derivation.test.ts has what stock Nix prints. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { cliOutput, runCli } from '../../support/cli.ts';
import { full, makeDerivation, makeNode } from '../../support/gc-store.ts';
import { openTestStore, temporaryDirectory } from '../../support/local-store.ts';
import { add } from '../../support/store-objects.ts';

const resources = new AsyncDisposableStack();
const OUTPUT = makeNode('plain');
const JSON_TEXT = JSON.stringify({
  name: 'x',
  version: 4,
  outputs: { out: {} },
  inputs: { srcs: [], drvs: {} },
  system: 's',
  builder: 'b',
  args: [],
  env: {},
});
let root: string;

before(async () => {
  root = join(await temporaryDirectory(resources), 'root');
  await using opened = new AsyncDisposableStack();
  const derivation = makeDerivation('made', ['out']);
  const output = makeNode('out', { path: derivation.outputs[0]!, deriver: derivation.info.path });
  await add(await openTestStore(root, opened), derivation, output, OUTPUT);
});
after(() => resources.disposeAsync());

describe('derivation', () => {
  test('shows the derivation that made an output, in its place', async () => {
    const [output] = makeDerivation('made', ['out']).outputs;
    const shown = JSON.parse(await cliOutput(['derivation', 'show', '--store', root, full(output!)]));
    assert.deepEqual(Object.keys(shown.derivations), [makeDerivation('made', ['out']).info.path]);
  });

  test('fills in outputs, says the path without adding, and adds it once', async () => {
    const options = { input: JSON_TEXT };
    const path = await cliOutput(['derivation', 'add', '--store', root, '--dry-run'], options);
    assert.equal((await runCli(['derivation', 'show', '--store', root, path.trim()])).code, 1);
    for (let turn = 0; turn < 2; turn++) {
      assert.equal(await cliOutput(['derivation', 'add', '--store', root], options), path);
    }
    const input = await cliOutput(['derivation', 'show', '--store', root, path.trim()]);
    assert.equal(await cliOutput(['derivation', 'add', '--store', root], { input }), path);
  });

  const REJECTED = [
    [['add'], '', /there is no derivation on the standard input/],
    [['add'], '{', /invalid derivation JSON at byte 1/],
    [['add'], JSON_TEXT.replace('"srcs":[]', `"srcs":["${'0'.repeat(32)}-a"]`), /'\/nix\/store\/0{32}-a' is not valid/],
    [
      ['add'],
      JSON_TEXT.replace('"drvs":{}', `"drvs":{"${'0'.repeat(32)}-a.drv":{"outputs":["out"]}}`),
      /cannot read derivation '\/nix\/store\/0{32}-a\.drv'/,
    ],
    [['show', full(OUTPUT.info.path)], '', /is no derivation, and nobody knows what made it/],
    [['show', `/nix/store/${'0'.repeat(32)}-a.drv`], '', /is not valid/],
    [['show', '--json-format', '3', 'x'], '', /Allowed choices are 4, 2\.8/],
  ] as const;

  for (const [[action, ...args], input, problem] of REJECTED) {
    test(`is refused: ${problem.source}`, async () => {
      const { code, stderr } = await runCli(['derivation', action, '--store', root, ...args], { input });
      assert.match(stderr, problem);
      assert.equal(code, 1);
    });
  }
});
