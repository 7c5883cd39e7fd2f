import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { buildsMissing, locationOf, openBuildStore, shellDerivation } from '../support/local-builds.ts';
import { makeScratch } from '../support/scratch.ts';

for (const sandbox of ['true', 'false'] as const) {
  test(`a derivation is built, sandbox = ${sandbox}`, { skip: buildsMissing }, async () => {
    await using scratch = await makeScratch();
    await using builds = await openBuildStore(scratch.path);
    const drvPath = await builds.instantiate(shellDerivation('hello', 'echo hello; echo made > $out'));
    const { reply, log } = await builds.build(await builds.request(drvPath), { settings: { sandbox } });
    assert.equal(await readFile(locationOf(reply), 'utf8'), 'made\n');
    assert.deepEqual(log, ['hello']);
  });
}
