/** README.md says what is so: its example runs, its commands and links exist. */
import assert from 'node:assert/strict';
import { access, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { COMMANDS } from '../src/cli/command-table.ts';
import { makeSecretKey, printPublicKey, publicKeyOf } from '../src/formats/signature.ts';
import { DEFAULT_STORE_DIR, printStorePath } from '../src/formats/store-path.ts';
import { makeSettings } from '../src/settings.ts';
import { openStore } from '../src/stores/open-store.ts';
import { output } from './support/run.ts';
import { makeScratch } from './support/scratch.ts';
import { add, makeBuiltObject } from './support/store-objects.ts';
import { file } from './support/trees.ts';

const root = new URL('../', import.meta.url);
const readme = await readFile(new URL('README.md', root), 'utf8');

test('the embedding example substitutes what it is told to', async () => {
  await using scratch = await makeScratch();
  const CACHE = `file://${scratch.path}/cache`;
  await using cache = await openStore(`${CACHE}?compression=zstd`, makeSettings());
  const { info, nar } = await makeBuiltObject('example', file('example'));
  await add(cache, { info, nar });
  const key = publicKeyOf(await makeSecretKey('test-1', new Uint8Array(32).fill(7)));

  const [, example = ''] = /^```ts\n(.*?)^```$/ms.exec(readme) ?? [];
  const program = join(scratch.path, 'example.ts');
  await writeFile(program, example.replace("'sluice'", `'${new URL('src/index.ts', root).href}'`));
  const env = {
    STORE_PATH: printStorePath(DEFAULT_STORE_DIR, info.path),
    ROOT: join(scratch.path, 'root'),
    CACHE,
    PUBLIC_KEY: printPublicKey(key),
  };
  assert.equal(await output(process.execPath, [program], { env }), '1 more paths are valid\nsucceeded\n');
  await access(join(env.ROOT, env.STORE_PATH));
});

test('the commands it names exist', async () => {
  const { scripts } = JSON.parse(await readFile(new URL('package.json', root), 'utf8')) as { scripts: object };
  const named = [...readme.matchAll(/^npm (?:run (?:-s )?)?([a-z]+)/gm)].map(([, name]) => name!);
  assert.deepEqual(
    named.filter((name) => !(name in scripts)),
    [],
  );
  const commands = [...readme.matchAll(/`sluice ([a-z-]+)/g)].map(([, name]) => name!);
  assert.ok(commands.length > 0);
  assert.deepEqual(
    commands.filter((name) => !COMMANDS.some((command) => command.name === name)),
    [],
  );
});

test('the files it links to exist', async () => {
  const targets = [...readme.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, target]) => target!);
  assert.ok(targets.length > 0);
  for (const target of targets) await access(new URL(target, root));
});
