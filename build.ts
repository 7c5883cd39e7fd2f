/**
 * Builds what is published: one file an entry, with the npm packages that are plain JavaScript inside. A program that is
 * started as often as this one is loaded from few files: finding 250 modules takes longer than running them.
 *
 *   node build.ts [FOLDER]        dist, where no folder is named
 */
import { chmod, glob, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type BuildOptions, build, type Plugin } from 'esbuild';

const outdir = process.argv[2] ?? 'dist';

/**
 * Node's own modules without their ES module facades: making one reads every export, which for some loads a great deal
 * more (node:http: a whole HTTP client, 18 ms).
 */
const builtins: Plugin = {
  name: 'builtins',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:/ }, ({ path }) => ({ path, namespace: 'builtin' }));
    onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)});`,
    }));
  },
};

/** What undici has for bodies of forms, which are never sent here, and a second parser, which is off. */
const unused: Plugin = {
  name: 'unused',
  setup({ onResolve, onLoad }) {
    const filter = /web\/fetch\/body\.js$|\/milo\/(no-)?simd\.js$/;
    onResolve({ filter }, ({ path }) => ({ path, namespace: 'unused' }));
    onLoad({ filter: /.*/, namespace: 'unused' }, () => ({ contents: 'module.exports = {};' }));
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

/**
 * The entries of program and threads enable the compile cache before they load the rest, so the rest is another file; so
 * is what starts a thread, which the entry of the program shares with the rest.
 */
const apart: Plugin = {
  name: 'apart',
  setup({ onResolve }) {
    onResolve({ filter: /^(\.|\.\.\/pool)\/(process|jobs|threads)\.ts$/ }, ({ path }) => ({
      path: `./${basename(path, '.ts')}.js`,
      external: true,
    }));
  },
};

const common: BuildOptions = {
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  supported: { using: true }, // as Node 24 has it
  outdir,
  outbase: '.',
  // What has native parts, or is hardly ever loaded, is loaded from where it is installed.
  external: ['@aws-sdk/*', '@napi-rs/*', '@smithy/*', 'better-sqlite3', 'koffi', 'libsodium-wrappers'],
  plugins: [apart, builtins, lazyHttp2, unused],
  banner: { js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);" },
  // Piscina looks there for what runs in its threads.
  define: { __dirname: 'import.meta.dirname' },
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'none',
  logLevel: 'warning',
  metafile: true,
};
const piscinaThread = 'node_modules/piscina/dist/worker.js';

await rm(outdir, { recursive: true, force: true });
await build({
  ...common,
  entryPoints: ['src/cli/main.ts', 'workers/thread.ts'],
  plugins: [apart, builtins],
  banner: {},
});
const { metafile } = await build({
  ...common,
  entryPoints: [
    { in: 'src/cli/process.ts', out: 'src/cli/process' },
    { in: 'src/index.ts', out: 'src/library/index' }, // as deep as src/pool, from where workers/ is looked for
    { in: 'workers/jobs.ts', out: 'workers/jobs' },
    { in: 'src/pool/threads.ts', out: 'src/cli/threads' },
    { in: 'src/pool/threads.ts', out: 'src/library/threads' },
    { in: piscinaThread, out: 'src/cli/worker' },
    { in: piscinaThread, out: 'src/library/worker' },
  ],
});
await chmod(`${outdir}/src/cli/main.js`, 0o755);
await writeFile(`${outdir}/THIRD-PARTY-LICENSES`, await licensesOf(Object.keys(metafile!.inputs)));

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
