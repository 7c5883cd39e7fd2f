import assert from 'node:assert/strict';
import { readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { temporaryDirectory } from './support/local-store.ts';
import { output } from './support/run.ts';

const MODULE = new URL('../src/compiled-code.ts', import.meta.url).href;

/** What build.ts makes of a script; `name` is that of its contents. */
const script = (name: string, body: string): string =>
  `/*${name.repeat(32)}*/(function(exports,require,module,__filename,__dirname){"use strict";${body}})`;
/** The same length for every answer, which is all that V8 knows of a source. */
const answering = (name: string, answer: 'old' | 'new'): string => script(name, `exports.answer = () => '${answer}';`);

/** A directory with a script in it, and processes that run it. */
async function workplace(resources: AsyncDisposableStack): Promise<{
  dir: string;
  kept: () => Promise<string[]>;
  run: (expression: string, command?: string, cache?: string) => Promise<string>;
}> {
  const dir = await temporaryDirectory(resources);
  const cache = join(dir, 'cache');
  const file = join(dir, 'script.js');
  return {
    dir,
    kept: async () => {
      const [directory] = await readdir(cache);
      const names = await readdir(join(cache, directory!));
      return names.filter((name) => name.startsWith('script')).map((name) => join(cache, directory!, name));
    },
    run: async (expression, command = 'realise', directory = cache) => {
      const main = join(dir, 'main.mjs');
      await writeFile(
        main,
        `import { keepCompiledCode, loadScript } from '${MODULE}';
         const script = loadScript(${JSON.stringify(file)});
         console.log(${expression});`,
      );
      return (await output(process.execPath, [main, command], { env: { NODE_COMPILE_CACHE: directory } })).trim();
    },
  };
}

describe('compiled code', () => {
  test('of functions that a run has called is what the next run takes', async () => {
    await using resources = new AsyncDisposableStack();
    const { dir, run } = await workplace(resources);
    await writeFile(join(dir, 'script.js'), answering('a', 'old'));
    assert.equal(await run('[script.answer(), keepCompiledCode(1000)][0]'), 'old');
    await writeFile(join(dir, 'script.js'), answering('a', 'new'));
    assert.equal(await run('script.answer()'), 'old', 'only a lie about the name of the contents shows it');
  });

  test('of other contents is not taken, and gives way', async () => {
    await using resources = new AsyncDisposableStack();
    const { dir, kept, run } = await workplace(resources);
    await writeFile(join(dir, 'script.js'), answering('a', 'old'));
    await run('[script.answer(), keepCompiledCode(1000)][0]');
    await writeFile(join(dir, 'script.js'), answering('b', 'new'));
    assert.equal(await run('[script.answer(), keepCompiledCode(1000)][0]'), 'new');
    const [file, ...others] = await kept();
    assert.deepEqual(others, []);
    assert.ok((await readFile(file!, 'latin1')).startsWith('b'.repeat(32)));
  });

  test('that is not as it was written is not taken, and gives way', async () => {
    await using resources = new AsyncDisposableStack();
    const { dir, kept, run } = await workplace(resources);
    await writeFile(join(dir, 'script.js'), answering('a', 'old'));
    await run('[script.answer(), keepCompiledCode(1000)][0]');
    const [file] = await kept();
    const whole = await readFile(file!);
    const { length } = whole;
    const spoilt = Buffer.from(whole).fill(0, length - 200, length - 100);
    for (const bytes of [whole.subarray(0, -8), whole.subarray(0, 50), Buffer.alloc(0), Buffer.alloc(length), spoilt]) {
      await writeFile(file!, bytes);
      assert.equal(await run('[script.answer(), keepCompiledCode(1000)][0]'), 'old');
      const { size } = await stat(file!);
      assert.equal(size, length);
      assert.notDeepEqual(await readFile(file!), bytes);
    }
  });

  test('that was left behind half written is in the way for a minute', async () => {
    await using resources = new AsyncDisposableStack();
    const { dir, kept, run } = await workplace(resources);
    await writeFile(join(dir, 'script.js'), answering('a', 'old'));
    await run('keepCompiledCode(10)');
    const [file] = await kept();
    const half = `${file}.new`;
    await writeFile(half, 'half');
    await run('keepCompiledCode(1000)');
    assert.equal(await readFile(half, 'utf8'), 'half', 'somebody may be writing it');
    await utimes(half, 1, 1);
    await run('keepCompiledCode(1000)');
    assert.deepEqual(await kept(), [file]);
    assert.match(await readFile(file!, 'latin1'), /^.{32,40} whole/);
  });

  test('of a short run is kept until a longer one knows more; that of a longer one stays', async () => {
    await using resources = new AsyncDisposableStack();
    const { dir, kept, run } = await workplace(resources);
    await writeFile(join(dir, 'script.js'), answering('a', 'old'));
    const inode = async (): Promise<number> => (await stat((await kept())[0]!)).ino;
    await run('keepCompiledCode(10)');
    const short = await inode();
    await run('keepCompiledCode(10)');
    assert.equal(await inode(), short);
    await run('[script.answer(), keepCompiledCode(1000)][0]');
    const long = await inode();
    assert.notEqual(long, short);
    await run('keepCompiledCode(2000)');
    assert.equal(await inode(), long);
  });

  test('is kept by command, as far as commands are known', async () => {
    await using resources = new AsyncDisposableStack();
    const { dir, kept, run } = await workplace(resources);
    await writeFile(join(dir, 'script.js'), answering('a', 'old'));
    for (const command of ['build', '../../x', 'nothing']) await run('keepCompiledCode()', command);
    const names = (await kept()).map((file) => file.slice(file.lastIndexOf('/') + 1)).sort();
    assert.deepEqual(names, ['script-build', 'script-other']);
  });

  test('is kept nowhere without a directory, and the script runs all the same', async () => {
    await using resources = new AsyncDisposableStack();
    const { dir, run } = await workplace(resources);
    await writeFile(join(dir, 'script.js'), answering('a', 'old'));
    assert.equal(await run('[script.answer(), keepCompiledCode(1000)][0]', 'realise', ''), 'old');
    assert.deepEqual((await readdir(dir)).sort(), ['main.mjs', 'script.js']);
  });
});

test('scripts of one directory load each other, once', async () => {
  await using resources = new AsyncDisposableStack();
  const { dir, run } = await workplace(resources);
  await writeFile(
    join(dir, 'other.js'),
    script('c', 'exports.join = require("node:path").join; exports.dir = __dirname;'),
  );
  await writeFile(
    join(dir, 'script.js'),
    script('a', 'exports.others = [require("./other.js"), require("./other.js")];'),
  );
  assert.equal(await run('script.others[0] === script.others[1] && script.others[0].dir'), dir);
});
