/**
 * Builds what is published: one file an entry, with the npm packages that are plain JavaScript inside. A program that is
 * started as often as this one is loaded from few files: finding 250 modules takes longer than running them.
 *
 *   node build.ts [FOLDER]        dist, where no folder is named
 */
import { createHash } from 'node:crypto';
import { chmod, glob, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type BuildOptions, type BuildResult, build, type Plugin } from 'esbuild';

const outdir = process.argv[2] ?? 'dist';

/**
 * Node's own modules without their ES module facades: making one reads every export, which for some loads a great deal
 * more (node:http: a whole HTTP client, 18 ms). What is imported by name is read once, and nothing else.
 */
const builtins: Plugin = {
  name: 'builtins',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:/ }, ({ path, kind }) => ({
      path,
      namespace: kind === 'import-statement' ? 'builtin' : 'builtin-whole',
    }));
    onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({ contents: namedExports(path) }));
    onLoad({ filter: /.*/, namespace: 'builtin-whole' }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)});`,
    }));
  },
};

/** Loaded when they are called: most runs start no program. */
const LAZY: ReadonlySet<string> = new Set(['node:child_process']);

/** An ES module with the exports of one of Node's, of which esbuild drops those that nobody imports. */
function namedExports(id: string): string {
  const builtin = process.getBuiltinModule(id) as Readonly<Record<string, unknown>>;
  const isLazy = LAZY.has(id);
  const names = Object.keys(builtin).filter((name) => /^[A-Za-z_$][\w$]*$/.test(name) && name !== 'default');
  return [
    `const load = () => process.getBuiltinModule(${JSON.stringify(id)});`,
    isLazy ? '' : 'const of = (name) => load()[name];',
    ...names.map((name) =>
      isLazy
        ? `export const ${name} = (...values) => load().${name}(...values);`
        : `export const ${name} = /* @__PURE__ */ of('${name}');`,
    ),
    `export default ${isLazy ? 'new Proxy({}, { get: (_, name) => load()[name] })' : '/* @__PURE__ */ load()'};`,
  ].join('\n');
}

/** What undici has for bodies of forms, which are never sent here, and a second parser, which is off. */
const unused: Plugin = {
  name: 'unused',
  setup({ onResolve, onLoad }) {
    const filter = /web\/fetch\/body\.js$|\/milo\/(no-)?simd\.js$/;
    onResolve({ filter }, ({ path }) => ({ path, namespace: 'unused' }));
    onLoad({ filter: /.*/, namespace: 'unused' }, () => ({ contents: 'module.exports = {};' }));
  },
};

/** Loaded when an assertion of a package fails, or is more than that something is true. */
const lazyAssert: Plugin = {
  name: 'lazy-assert',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:assert$/ }, () => ({ path: 'assert', namespace: 'lazy-assert' }));
    onLoad({ filter: /.*/, namespace: 'lazy-assert' }, () => ({
      contents: `
        const load = () => process.getBuiltinModule('node:assert');
        const assert = (value, ...message) => void (value || load()(value, ...message));
        const isOwn = (name) => name === '__esModule' || name === 'prototype';
        module.exports = new Proxy(assert, { get: (_, name) => (isOwn(name) ? undefined : load()[name]) });`,
    }));
  },
};

/** Undici's HTTP/2, which loads all of Node's: a thread whose caches do not speak it never needs it. */
const lazyHttp2: Plugin = {
  name: 'lazy-http2',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^\.\/client-h2\.js$/ }, ({ resolveDir }) => ({
      path: join(resolveDir, 'client-h2.js'),
      namespace: 'lazy',
    }));
    onLoad({ filter: /.*/, namespace: 'lazy' }, ({ path }) => ({
      contents: `module.exports = (client, socket) => require(${JSON.stringify(path)})(client, socket);`,
      resolveDir: dirname(path),
    }));
  },
};

/** What src/compiled-code.ts loads, each a file of its own; the program and its threads have no other way to it. */
const SCRIPT = /^(\.|\.\.\/pool)\/(process|jobs|threads)\.ts$/;

/** In the entries of program and threads a script is loaded with the code that V8 compiled of it earlier. */
const loadedScripts: Plugin = {
  name: 'loaded-scripts',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: SCRIPT }, ({ path }) => ({ path: basename(path, '.ts'), namespace: 'script' }));
    onLoad({ filter: /.*/, namespace: 'script' }, ({ path }) => ({
      contents: `module.exports = require('./src/compiled-code.ts').loadScript(__dirname + '/${path}.js');`,
      resolveDir: '.',
    }));
  },
};

/** What scripts import of undici, by which they call it. */
const undiciParts = new Set<string>();

/** Undici is a script of its own, loaded by whoever needs it: most caches are asked without. */
const undiciApart: Plugin = {
  name: 'undici-apart',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^undici\/lib\// }, ({ path }) => ({ path, namespace: 'undici-part' }));
    onResolve({ filter: /^\.\/undici\.js$/ }, ({ path }) => ({ path, external: true }));
    onLoad({ filter: /.*/, namespace: 'undici-part' }, ({ path }) => {
      undiciParts.add(path);
      return { contents: `module.exports = require('./undici.js')[${JSON.stringify(path)}]();` };
    });
  },
};

/** Elsewhere it is another file: there, or from a script, where what has loaded the script loads it. */
const apart: Plugin = {
  name: 'apart',
  setup({ onResolve }) {
    onResolve({ filter: SCRIPT }, ({ path }) => ({ path: `./${basename(path, '.ts')}.js`, external: true }));
  },
};

const common: BuildOptions = {
  bundle: true,
  platform: 'node',
  target: 'node24',
  supported: { using: true }, // as Node 24 has it
  outdir,
  outbase: '.',
  // What has native parts, or is hardly ever loaded, is loaded from where it is installed.
  external: ['@aws-sdk/*', '@napi-rs/*', '@smithy/*', 'better-sqlite3', 'koffi', 'libsodium-wrappers'],
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'none',
  logLevel: 'warning',
  metafile: true,
};
/** The program and its threads are CommonJS: Node's loader of ES modules costs each of them some milliseconds. */
const commonJs: BuildOptions = {
  ...common,
  format: 'cjs',
  supported: { using: true, 'dynamic-import': false },
};
const piscinaThread = 'node_modules/piscina/dist/worker.js';

await rm(outdir, { recursive: true, force: true });
await build({
  ...commonJs,
  entryPoints: [
    { in: 'src/cli/main.ts', out: 'src/cli/main' },
    { in: 'workers/thread.ts', out: 'workers/thread' },
    { in: 'workers/hash.ts', out: 'workers/hash' },
    { in: piscinaThread, out: 'src/cli/worker' },
  ],
  plugins: [loadedScripts, lazyAssert, builtins],
});
for (const folder of ['src/cli', 'workers']) {
  await writeFile(join(outdir, folder, 'package.json'), '{ "type": "commonjs" }\n');
}
const script: BuildOptions = {
  ...commonJs,
  banner: {
    js: '(function(exports,require,module,__filename,__dirname){"use strict";var importMetaUrl=require("node:url").pathToFileURL(__filename).href;',
  },
  footer: { js: '})' },
  define: { 'import.meta.url': 'importMetaUrl', 'import.meta.dirname': '__dirname' },
  write: false,
};
const scripts = await build({
  ...script,
  entryPoints: [
    { in: 'src/cli/process.ts', out: 'src/cli/process' },
    { in: 'src/pool/threads.ts', out: 'src/cli/threads' },
    { in: 'workers/jobs.ts', out: 'workers/jobs' },
  ],
  plugins: [apart, undiciApart, lazyAssert, builtins, unused],
});
await writeScripts(scripts);
const parts = [...undiciParts].map((path) => `${JSON.stringify(path)}: () => require(${JSON.stringify(path)})`);
const undici = await build({
  ...script,
  stdin: { contents: `module.exports = { ${parts.join()} };`, resolveDir: '.' },
  outdir: undefined,
  plugins: [lazyAssert, builtins, lazyHttp2, unused],
});
for (const folder of ['src/cli', 'workers']) await writeScripts(undici, join(outdir, folder, 'undici.js'));
const library = await build({
  ...common,
  format: 'esm',
  entryPoints: [
    { in: 'src/index.ts', out: 'src/library/index' }, // as deep as src/pool, from where workers/ is looked for
    { in: 'src/pool/threads.ts', out: 'src/library/threads' },
    { in: piscinaThread, out: 'src/library/worker' },
  ],
  plugins: [apart, lazyAssert, builtins, lazyHttp2, unused],
  banner: {
    js: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);",
  },
  // Piscina looks there for what runs in its threads.
  define: { __dirname: 'import.meta.dirname' },
});
await chmod(`${outdir}/src/cli/main.js`, 0o755);
const inputs = [scripts, undici, library].flatMap(({ metafile }) => Object.keys(metafile!.inputs));
await writeFile(`${outdir}/THIRD-PARTY-LICENSES`, await licensesOf(inputs));

/** Each begins with the name of its contents, by which compiled code is known to be its own, and is ASCII. */
async function writeScripts({ outputFiles }: BuildResult, file?: string): Promise<void> {
  for (const { path: planned, text } of outputFiles!) {
    const path = file ?? planned;
    const ascii = text.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
    const name = createHash('sha256').update(ascii).digest('hex').slice(0, 32);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, `/*${name}*/${ascii}`);
  }
}

/** The licenses of the npm packages that these files belong to. */
async function licensesOf(files: readonly string[]): Promise<string> {
  const packages = new Set(files.flatMap((file) => /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? []));
  const licenses: string[] = [];
  for (const name of [...packages].sort()) {
    for await (const file of glob('LICENSE*', { cwd: `node_modules/${name}` })) {
      const text = await readFile(`node_modules/${name}/${file}`, 'utf8');
      licenses.push(`${name}\n${'='.repeat(name.length)}\n\n${text.trim()}\n`);
    }
  }
  return licenses.join('\n\n');
}
