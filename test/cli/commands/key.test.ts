import assert from 'node:assert/strict';
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { cliOutput, runCli } from '../../support/cli.ts';
import { Nix, nixMissing } from '../../support/nix.ts';
import { run } from '../../support/run.ts';

test('a generated key is new each time, and has no newline in a file', async () => {
  const [one, two] = [await cliOutput(['key', 'generate', 'test-1']), await cliOutput(['key', 'generate', 'test-1'])];
  assert.match(one, /^test-1:[A-Za-z0-9+/]{86}==$/);
  assert.notEqual(one, two);
  assert.match(await cliOutput(['key', 'generate', 'test-1'], { isTerminal: true }), /==\n$/);
});

test('stock Nix finds the same public key in a generated secret key', { skip: nixMissing }, async () => {
  await using tmp = await mkdtempDisposable(join(tmpdir(), 'sluice-test-'));
  const nix = await Nix.open(join(tmp.path, 'home'));
  const secret = await cliOutput(['key', 'generate', 'test-1']);
  const stock = await run('nix', ['key', 'convert-secret-to-public'], { env: nix.env, input: secret });
  assert.equal(await cliOutput(['key', 'public'], { input: `${secret}\n` }), stock.stdout);
});

const REJECTED = [
  [['key', 'generate', 'a:b'], '', /invalid key name/, 'a name with a colon'],
  [['key', 'public'], '', /there is no secret key on the standard input/, 'no key'],
  [['key', 'public'], 'test-1:AAAA', /wanted 64 bytes, got 3/, 'a key that is too short'],
  [['key', 'public'], 'x'.repeat(100_000), /more than 65536 bytes/, 'input that is too long for a key'],
] as const;

for (const [args, input, message, what] of REJECTED) {
  test(`${what} is rejected`, async () => {
    const { code, stderr } = await runCli(args, { input });
    assert.match(stderr, message);
    assert.equal(code, 1);
  });
}
