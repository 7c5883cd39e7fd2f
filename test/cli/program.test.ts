import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { COMMANDS } from '../../src/cli/command-table.ts';
import { cliOutput, runCli, UNCONFIGURED } from '../support/cli.ts';

const help = (await runCli(['--help'])).stdout;

describe('help', () => {
  test('says first how to use it, what it is and which commands there are, and last gives examples', () => {
    const titles = [...help.matchAll(/^([A-Z][^\n:]*):$/gm)].map(([, title]) => title);
    assert.deepEqual(titles, ['Commands', 'Common options', 'Settings, as in nix.conf', 'Examples']);
    assert.match(help, /^Usage: sluice \[options\] \[command\]\n\nFetches store paths .* and builds/);
  });

  test('has a line for every command', () => {
    const flat = help.replace(/\s+/g, ' ');
    for (const { name, summary } of COMMANDS) assert.ok(flat.includes(` ${name} ${summary} `), name);
  });

  test('has the settings with their defaults, and how to turn off what is on', () => {
    const flat = help.replace(/\s+/g, ' ');
    assert.match(flat, /--max-substitution-jobs <integer> .* \(default: 64\)/);
    assert.match(flat, /--require-sigs .* \(default: true, or --no-require-sigs\)/);
    assert.match(flat, /--substituters <list> .*, --extra-substituters adds to it\)/);
    assert.match(flat, /--option <name> <value> any of the settings below/);
  });

  test('is the same with the word help', async () => {
    assert.equal((await runCli(['help'])).stdout, help);
    assert.equal((await runCli(['help', 'ls'])).stdout, (await runCli(['ls', '--help'])).stdout);
  });

  for (const name of ['realise', 'copy', 'path-info', 'verify', 'ls', 'cat', 'nar', 'hash', 'key', 'config']) {
    test(`of ${name} says what it does, and gives examples`, async () => {
      const { stdout, code } = await runCli([name, '--help']);
      assert.equal(code, 0);
      assert.match(stdout, new RegExp(`^Usage: sluice ${name} .*\n\n[A-Z][^\n]*(\n[^\n]+)*\\.\n`));
      assert.match(stdout, new RegExp(`\nExamples:\n {2}.*sluice ${name}[ \n]`));
      assert.match(stdout, /--help /);
      assert.ok(stdout.endsWith("'sluice --help' lists them.\n"));
    });
  }
});

describe('a wrong command line', () => {
  const WRONG = [
    [['frob'], /^error: unknown command 'frob'\nTry 'sluice --help' for more information\.\n$/],
    [['lss'], /Did you mean ls\?/],
    [['ls'], /^error: missing required argument 'path'\nTry 'sluice ls --help'/],
    [['ls', '--frob', 'x'], /^error: unknown option '--frob'\nTry 'sluice ls --help'/],
    [['ls', 'a', 'b'], /^error: too many arguments for 'ls'/],
    [['hash', 'frob'], /^error: unknown command 'frob'\nTry 'sluice hash --help'/],
    [['hash', 'path', '--format', 'hex', '.'], /is invalid\. Allowed choices are base16, nix32/],
    [['ls', '--max-jobs', 'x', '/nix/store/x'], /^error: setting 'max-jobs' wants a whole number, got 'x'\n$/],
    [['ls', '--option', 'x'], /^error: '--option' wants a name and a value\n$/],
    [['realise'], /^error: no store paths are given\nhint: /],
    [['copy', '/nix/store/x'], /^error: copying needs --from, --to, or both\n$/],
    [['ls', '--store', 'ftp://x', '/nix/store/x'], /^error: .*unknown kind of store 'ftp'/],
  ] as const;

  for (const [args, message] of WRONG) {
    test(`'sluice ${args.join(' ')}' says what is wrong, and ends with 1 as Nix does`, async () => {
      const { code, stdout, stderr } = await runCli(args);
      assert.match(stderr, message);
      assert.deepEqual({ code, stdout }, { code: 1, stdout: '' });
    });
  }

  test('without any words is answered with help', async () => {
    assert.deepEqual(await runCli([]), { code: 1, stdout: '', stderr: help });
  });
});

describe('the configuration', () => {
  const environment = { ...UNCONFIGURED, NIX_CONFIG: 'frob = 1\nfrob = 2\nhttp-connections = 7\nsubstituters = a' };

  test('is what NIX_CONFIG says, with what the flags say on top', async () => {
    const show = (...args: readonly string[]) => cliOutput(['config', 'show', ...args], { environment });
    assert.equal(await show('http-connections'), '7\n');
    assert.equal(await show('http-connections', '--http-connections', '8'), '8\n');
    assert.equal(
      await show('substituters', '--extra-substituters', 'b', '--option', 'extra-substituters', 'c'),
      'a b c\n',
    );
    assert.equal(await show('substituters', '--substituters', 'b'), 'b\n');
  });

  test('warns of what is unknown once, and goes on', async () => {
    const { code, stderr } = await runCli(['config', 'show'], { environment });
    assert.deepEqual([code, stderr], [0, "warning: unknown setting 'frob'\n"]);
    assert.equal((await runCli(['config', 'show', '--quiet'], { environment })).code, 0);
  });

  test('that is broken ends every command with 1, says where it is, and keeps nobody from reading help', async () => {
    const broken = { environment: { ...UNCONFIGURED, NIX_CONFIG: '\nmax-jobs = many' } };
    const { code, stderr } = await runCli(['hash', 'file', '.'], broken);
    assert.deepEqual([code, stderr], [1, "error: NIX_CONFIG:2: setting 'max-jobs' wants a whole number, got 'many'\n"]);
    assert.equal((await runCli(['--help'], broken)).code, 0);
    assert.equal((await runCli(['hash', '--help'], broken)).code, 0);
    assert.equal((await runCli(['--version'], broken)).code, 0);
  });

  test('with --refresh remembers nothing of what binary caches say', async () => {
    const text = await cliOutput(['--refresh', 'config', 'show'], { environment });
    const ttls = [...text.matchAll(/^narinfo-cache-(.*)-ttl = 0 /gm)].map(([, which]) => which);
    assert.deepEqual(ttls, ['meta', 'negative', 'positive']);
  });
});

test('the version is that of the package', async () => {
  assert.deepEqual(await runCli(['--version']), { code: 0, stdout: 'sluice 1.2.3\n', stderr: '' });
});

test('errors are JSON where that is asked for', async () => {
  const { stderr } = await runCli(['--log-format', 'internal-json', 'hash', 'file', '/no/such']);
  assert.deepEqual(JSON.parse(stderr.slice(5)), {
    action: 'msg',
    level: 0,
    msg: "error: cannot open '/no/such': no such file or directory",
  });
});

test('common flags may stand before the command and after it', async () => {
  for (const args of [
    ['--debug', 'hash', 'file', '/no/such'],
    ['hash', 'file', '/no/such', '--debug'],
  ]) {
    assert.match((await runCli(args)).stderr, /^error: cannot open '\/no\/such'.*\nError: ENOENT/s);
  }
});
