/** Derivations that nix-instantiate of stock Nix makes, read, checked, shown and added. */
import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parseDerivation, printDerivation } from '../../src/formats/derivation.ts';
import { derivationName, derivationPath } from '../../src/formats/derivation-hash.ts';
import { parseDerivationOptions } from '../../src/formats/derivation-options.ts';
import { DEFAULT_STORE_DIR, parseStorePath, printStorePath, type StorePath } from '../../src/formats/store-path.ts';
import { cliOutput, runCli } from '../support/cli.ts';
import { openTestStore, temporaryDirectory } from '../support/local-store.ts';
import { Nix, nixMissing } from '../support/nix.ts';
import { lines, output } from '../support/run.ts';

const EXPRESSION = `
let
  make = args: derivation ({ system = "s"; builder = "/bin/sh"; } // args);
  text = builtins.toFile "text" "hello";
  flat = algorithm: hash: make { name = "flat-\${algorithm}"; outputHashAlgo = algorithm; outputHash = hash; };
  recursive = algorithm: hash: make {
    name = "recursive-\${algorithm}"; outputHashAlgo = algorithm; outputHash = hash; outputHashMode = "recursive";
  };
  md5 = "d41d8cd98f00b204e9800998ecf8427e";
  sha1 = "da39a3ee5e6b4b0d3255bfef95601890afd80709";
  sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
  sha512 = "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e";
  fixed = [
    (flat "md5" md5) (flat "sha1" sha1) (flat "sha256" sha256) (flat "sha512" sha512)
    (recursive "md5" md5) (recursive "sha1" sha1) (recursive "sha256" sha256) (recursive "sha512" sha512)
  ];
  multiple = make { name = "multiple"; outputs = [ "out" "dev" "bin" ]; inherit fixed text; };
  odd = make {
    name = "odd"; args = [ "-c" "é\\"\\\\\\n\\r\\t\${text}" "" ]; multiline = "a\\nb"; control = "\b\f\x01\x7f";
    unicode = "𝕏"; "é" = "1"; "𝕏" = "2"; "10" = "a"; "9" = "b"; dev = multiple.dev;
  };
  structured = make {
    name = "structured"; __structuredAttrs = true; outputs = [ "out" "dev" ];
    list = [ 1 2 multiple ]; number = 1.5; nested = { "9" = 1; "10" = true; a.b = null; }; string = "é\\"\\n";
    outputChecks.out = { maxSize = 1000; disallowedReferences = [ "dev" ]; allowedRequisites = [ multiple ]; };
    exportReferencesGraph.graph = [ multiple ];
  };
  exported = make {
    name = "exported"; exportReferencesGraph = [ "graph" multiple "drv" multiple.drvPath ];
    allowedReferences = [ "out" multiple ]; passAsFile = [ "text" ]; inherit text; requiredSystemFeatures = [ "kvm" ];
  };
  chain = n: make { name = "chain-\${toString n}"; before = if n == 0 then odd else chain (n - 1); };
  # Two that differ only in how what they need is fetched, and so have the same hash.
  fetched = url: make { name = "fetched"; outputHashAlgo = "sha256"; outputHash = sha256; inherit url; };
  twin = url: make { name = "twin"; outputs = [ "out" "dev" ]; src = fetched url; };
  twins = make { name = "twins"; one = (twin "a").out; two = (twin "b").dev; };
  boot = make { name = "boot"; preferLocalBuild = true; allowSubstitutes = false; };
in fixed ++ [ multiple odd structured exported (chain 300) twins boot ]
`;

const resources = new AsyncDisposableStack();
let root: string;
let nix: Nix;
/** All derivations in the store, and the last of the expression. */
let all: readonly StorePath[];
let named: readonly string[];

before(
  async () => {
    const directory = await temporaryDirectory(resources);
    root = join(directory, 'root');
    nix = await Nix.open(join(directory, 'home'));
    const file = join(directory, 'all.nix');
    writeFileSync(file, EXPRESSION);
    named = lines(await output('nix-instantiate', [file], { env: { ...nix.env, NIX_REMOTE: root } }));
    const closure = lines(await nix.output('nix-store', '--store', root, '-qR', ...named));
    all = closure.filter((path) => path.endsWith('.drv')).map((path) => parseStorePath(DEFAULT_STORE_DIR, path));
  },
  { timeout: 60_000 },
);
after(() => resources.disposeAsync());

const fileOf = (path: StorePath): string => join(root, DEFAULT_STORE_DIR, path);
const nixShow = (...args: readonly string[]): Promise<string> =>
  nix.output('nix', 'show-derivation', '--store', root, ...args);
const show = (...args: readonly string[]): Promise<string> =>
  cliOutput(['derivation', 'show', '--store', root, ...args]);

describe('derivations of stock Nix', { skip: nixMissing }, () => {
  test('are printed as they were read, and have the path that follows', () => {
    assert.ok(all.length > 310);
    for (const path of all) {
      const bytes = readFileSync(fileOf(path));
      const derivation = parseDerivation(DEFAULT_STORE_DIR, derivationName(path), bytes);
      assert.equal(printDerivation(DEFAULT_STORE_DIR, derivation), bytes.toString());
      assert.equal(derivationPath(DEFAULT_STORE_DIR, derivation), path);
      parseDerivationOptions(DEFAULT_STORE_DIR, derivation);
    }
  });

  test('have the outputs that follow from them', async () => {
    await using opened = new AsyncDisposableStack();
    const store = await openTestStore(root, opened);
    for (const path of all) assert.equal((await store.readDerivation(path)).name, derivationName(path));
  });

  test('are shown as nix show-derivation shows them', async () => {
    assert.equal(await show('--json-format', '2.8', ...named), await nixShow(...named));
    assert.equal(await show('--json-format', '2.8', '-r', ...named), await nixShow('-r', ...named));
  });

  test('have the variables that nix-store says', async () => {
    const [odd] = named.filter((path) => path.endsWith('-odd.drv'));
    for (const name of ['multiline', 'unicode', 'out', 'é', 'builder']) {
      const stock = await nix.output('nix-store', '--store', root, '-q', '--binding', name, odd!);
      assert.equal(await cliOutput(['query', '--store', root, '-b', name, odd!]), stock);
    }
    assert.match((await runCli(['query', '--store', root, '-b', 'none', odd!])).stderr, /no variable 'none'/);
  });

  for (const format of ['4', '2.8']) {
    test(`are added from JSON of format ${format}, into a store of stock Nix that accepts them`, async () => {
      const directory = await temporaryDirectory(resources);
      const empty = join(directory, 'root');
      const inputs = lines(await nix.output('nix-store', '--store', root, '-qR', ...named)).filter(
        (path) => !path.endsWith('.drv'),
      );
      await nix.output('nix', 'copy', '--no-check-sigs', '--from', root, '--to', empty, ...inputs);
      // Chains are tested above, and each of these takes a while.
      const few = all.filter((path) => !/-chain-\d/.test(path));
      const twins = few.filter((path) => /twin|fetched/.test(path));
      assert.equal(twins.length, 5);
      for (const path of few) {
        const shown = printStorePath(DEFAULT_STORE_DIR, path);
        const input = await show('--json-format', format, shown);
        assert.equal(await cliOutput(['derivation', 'add', '--store', empty], { input }), `${shown}\n`);
        assert.deepEqual(readFileSync(join(empty, shown)), readFileSync(fileOf(path)));
      }
      assert.deepEqual(await nix.problems(empty), []);
      // Stock Nix checks outputs when it registers: what it copies from here it has checked.
      const again = join(directory, 'again');
      const top = few.map((path) => printStorePath(DEFAULT_STORE_DIR, path));
      await nix.output('nix', 'copy', '--no-check-sigs', '--derivation', '--from', empty, '--to', again, ...top);
    });
  }

  test('are not added where an output is not what it says', async () => {
    const boot = named.find((path) => path.endsWith('-boot.drv'))!;
    const wrong = (await show(boot)).replace('"allowSubstitutes": ""', '"allowSubstitutes": "1"');
    const { code, stderr } = await runCli(['derivation', 'add', '--store', root], { input: wrong });
    assert.match(stderr, /wrong output 'out', wanted '.*-boot', got '.*-boot'/);
    assert.equal(code, 1);
  });

  test('are refused where stock Nix has been led to hold a changed one', async () => {
    const directory = await temporaryDirectory(resources);
    const broken = join(directory, 'root');
    const path = all.find((each) => each.endsWith('-boot.drv'))!;
    const shown = printStorePath(DEFAULT_STORE_DIR, path);
    await nix.output('nix', 'copy', '--no-check-sigs', '--derivation', '--from', root, '--to', broken, shown);
    const file = join(broken, shown);
    const text = readFileSync(file, 'utf8').replace('/bin/sh', '/bin/zz');
    rmSync(file);
    writeFileSync(file, text);
    const { stderr } = await runCli(['derivation', 'show', '--store', broken, shown]);
    assert.match(stderr, /wrong path for its text/);
  });
});
