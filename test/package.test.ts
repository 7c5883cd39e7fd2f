/** What npm would publish: built, packed, installed into an empty folder, and used there as its users do. */
import assert from 'node:assert/strict';
import { access, constants, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { DEFAULT_STORE_DIR, printStorePath } from '../src/formats/store-path.ts';
import { makeSettings } from '../src/settings.ts';
import { openStore } from '../src/stores/open-store.ts';
import { lines, output, run } from './support/run.ts';
import { makeScratch } from './support/scratch.ts';
import { add, makeObject } from './support/store-objects.ts';
import { file } from './support/trees.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
/** With this Node before all others, and nothing that the npm which runs the tests has set. */
const env = {
  ...Object.fromEntries(
    Object.keys(process.env).map((name) => [name, /^npm_/i.test(name) ? undefined : process.env[name]]),
  ),
  PATH: [dirname(process.execPath), process.env.PATH].join(delimiter),
};
const NO_REGISTRY = /ENOTCACHED|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT/;

/** The embedding API in the words of its users: `node embedding.mjs STORE CACHE PATH`. */
const EMBEDDING = `
import { readFile } from 'node:fs/promises';
import { parseStorePath, Scheduler } from 'sluice';
const [store, cache, text] = process.argv.slice(2);
await using scheduler = await Scheduler.open({ store, substituters: [cache] });
const path = parseStorePath(scheduler.store.storeDir, text);
const [result] = await scheduler.realise([path]);
console.log(JSON.stringify(result), await readFile(scheduler.store.realPath(path), 'utf8'));
`;

/** Type-checked by someone who has only the package. */
const TYPED = `
import { parseStorePath, type Settings, Scheduler, type SchedulerOptions, SluiceError } from 'sluice';
const settings: Partial<Settings> = { keepGoing: true };
const options: SchedulerOptions = { store: '/tmp/x', settings };
export async function realise(text: string): Promise<string> {
  await using scheduler = await Scheduler.open(options);
  scheduler.events.on('transferStarted', ({ path, narSize }) => console.log(path, narSize.toFixed()));
  const [result] = await scheduler.realise([parseStorePath(scheduler.store.storeDir, text)]);
  if (result?.state === 'failed') throw result.failure satisfies SluiceError;
  // @ts-expect-error: types are there, and not any
  return result;
}
`;

test('the package', async (t) => {
  await using scratch = await makeScratch(400);
  const folder = join(scratch.path, 'consumer');
  const packed = await output('npm', ['pack', '--silent', '--pack-destination', scratch.path], { cwd: root, env });
  const archive = join(scratch.path, lines(packed).at(-1)!);

  await t.test('holds what runs, what explains it, and nothing else', async () => {
    const files = lines(await output('tar', ['-tzf', archive])).map((name) => name.replace(/^package\//, ''));
    const built = [
      'src/cli/main.js',
      'src/library/index.js',
      'src/index.d.ts',
      'workers/thread.js',
      'THIRD-PARTY-LICENSES',
    ];
    for (const wanted of [
      'package.json',
      'LICENSE',
      'CHANGELOG.md',
      'README.md',
      ...built.map((name) => `dist/${name}`),
    ]) {
      assert.ok(files.includes(wanted), `${wanted} is missing`);
    }
    assert.deepEqual(
      files.filter(
        (name) =>
          !/^(dist\/(src|workers)\/.*\.(js|d\.ts)|dist\/(src\/cli|workers)\/package\.json|dist\/THIRD-PARTY-LICENSES|docs\/.*|[\w.]+)$/.test(
            name,
          ),
      ),
      [],
    );
  });

  if (!(await install(t, scratch.path, folder, archive))) return;
  const sluice = join(folder, 'node_modules/.bin/sluice');

  await t.test('has the licenses of what is built into it', async () => {
    const licenses = await readFile(join(root, 'dist/THIRD-PARTY-LICENSES'), 'utf8');
    for (const name of ['commander', 'eventemitter3', 'piscina', 'undici'])
      assert.match(licenses, new RegExp(`^${name}$`, 'm'));
  });

  await t.test('has a command that runs by itself', async () => {
    await access(sluice, constants.X_OK);
    assert.ok(((await stat(join(root, 'dist/src/cli/main.js'))).mode & 0o111) === 0o111, 'as it is built, too');
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
    assert.equal(await output(sluice, ['--version'], { env }), `sluice ${version}\n`);
  });

  await t.test('gives what runs in a thread to require, with no module in between that a thread could die in', () => {
    const thread = join(root, 'dist/workers/thread.js');
    const require = createRequire(import.meta.url);
    assert.equal(typeof require(thread).default, 'function');
    assert.equal(typeof require.cache[thread]?.exports.default, 'function', 'it is CommonJS');
  });

  await t.test('substitutes through worker threads, from the command line and embedded', async () => {
    const cache = `file://${scratch.path}/cache?compression=zstd`;
    const store = join(scratch.path, 'store');
    const { info, nar } = makeObject('greeting', file('hello'));
    await using written = await openStore(cache, makeSettings());
    await add(written, { info, nar });
    const path = printStorePath(DEFAULT_STORE_DIR, info.path);

    await writeFile(join(folder, 'embedding.mjs'), EMBEDDING);
    const embedded = await output(process.execPath, ['embedding.mjs', store, cache, path], { cwd: folder, env });
    const result = { state: 'succeeded', how: 'substituted', path: info.path };
    assert.equal(embedded, `${JSON.stringify(result)} hello\n`);

    const args = ['realise', path, '--store', `${store}-2`, '--substituter', cache];
    assert.equal(await output(sluice, args, { env }), `${path}\n`);
  });

  await t.test('brings its types, with which the example of the README is right', async () => {
    await writeFile(join(folder, 'typed.mts'), TYPED);
    const [, example = ''] = /^```ts\n(.*?)^```$/ms.exec(await readFile(join(root, 'README.md'), 'utf8')) ?? [];
    await writeFile(join(folder, 'example.mts'), example);
    const tsc = join(root, 'node_modules/.bin/tsc');
    const strict = [
      '--strict',
      '--types',
      'node',
      '--noEmit',
      '--module',
      'nodenext',
      '--target',
      'esnext',
      '--lib',
      'esnext',
    ];
    const { code, stdout } = await run(tsc, [...strict, 'typed.mts', 'example.mts'], { cwd: folder, env });
    assert.equal(code, 0, stdout);
  });

  await t.test('shows itself, and the commands that it proposes then work as they are', async () => {
    const shown = await output(sluice, ['demo'], { cwd: folder, env: { ...env, TMPDIR: scratch.path } });
    assert.match(shown, /\d+ paths are as they should be/);
    const next = shown.slice(shown.indexOf('Try next:'));
    const proposed = lines(next).filter((line) => line.startsWith('  '));
    assert.equal(proposed.length, 4, shown);
    for (const command of proposed) await output('sh', ['-c', command], { cwd: folder, env });
    assert.deepEqual(
      (await readdir(scratch.path)).filter((name) => name.startsWith('sluice-demo')),
      [],
    );
  });
});

/** @returns false where there is no registry to have the dependencies from; the test is skipped then. */
async function install(t: TestContext, scratch: string, folder: string, archive: string): Promise<boolean> {
  const quiet = ['--prefer-offline', '--no-audit', '--no-fund', '--no-update-notifier'];
  const args = ['install', '--prefix', folder, ...quiet, archive];
  const { code, stderr } = await run('npm', args, { cwd: scratch, env });
  if (code === 0) return true;
  if (!NO_REGISTRY.test(stderr) || process.env.SLUICE_REQUIRE_NIX) assert.fail(`npm install failed:\n${stderr}`);
  t.skip('no npm registry, and not everything is in the cache');
  return false;
}
