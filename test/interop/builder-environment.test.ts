/** What a builder sees is the same whether Sluice or stock Nix starts it. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { buildsMissing, locationOf, MACHINE, openBuildStore } from '../support/local-builds.ts';
import { output } from '../support/run.ts';
import { makeScratch } from '../support/scratch.ts';

const PATH = 'PATH=$PATH:/usr/bin:/bin';
/** Everything else that it could find out. bubblewrap always makes /dev/core. */
const WORLD = `{
  id; hostname; umask; pwd; ulimit -c; echo $$; ls --ignore=core / /dev; ls -A /tmp /build /proc/self/fd; cat /etc/passwd /etc/group /etc/hosts
  stat -c '%a %u %g' /nix /nix/store /build /tmp /dev/shm; cat /proc/self/personality; ls -A /nix/store
  grep -E '^(NoNewPrivs|SigIgn|SigBlk|CapEff|Groups)' /proc/self/status; cat /proc/net/dev
} > $out 2>&1`;

const DERIVATIONS = {
  'users, files, namespaces': `{ script = ''${PATH}; ${WORLD}''; source = builtins.toFile "source" "text"; }`,
  'variables, and files for some of them': `{
    script = ''${PATH}; { env | sort; ls -A; cat .attr-*; } > $out'';
    passAsFile = [ "long" "empty" ]; long = "a value\\nof two lines"; empty = ""; quoted = "it's \\"quoted\\" \\\\ $x";
    HOME = "/mine"; NIX_BUILD_TOP = "/other"; TMPDIR = "/elsewhere"; other = builtins.placeholder "out";
  }`,
  'graphs of references': `{
    script = ''${PATH}; cat graph other > $out'';
    exportReferencesGraph = [ "graph" dependent "other" input ];
  }`,
  'structured attributes': `{
    script = ''${PATH}; out=$(sed -n 's/.*"outputs":{"out":"\\([^"]*\\)".*/\\1/p' .attrs.json);
      { env | grep -v structured | sort; ls -A; cat .attrs.json .attrs.sh; } > $out'';
    __structuredAttrs = true; outputs = [ "out" ];
    text = "it's"; number = 12; negative = -3; fraction = 1.5; large = 123456789012; yes = true; no = false; nothing = null;
    list = [ "a" 1 true null ]; nested = [ [ 1 ] ]; set = { a = "b"; "c d" = 2; }; deep = { a.b = 1; }; "not-a-name" = 1;
    unicode = "ü\\t\\r"; exportReferencesGraph = { closure = [ dependent input ]; };
  }`,
  'a fixed output': `{
    script = ''${PATH}; env | sort >&2; echo made > $out'';
    outputHash = "sha256-nMvT8bGaHN/Y18auSOnoIuI0X1vhphh7GeQUhsaUEAQ="; outputHashMode = "flat"; impureEnvVars = [ "SLUICE_TEST" "unset" ];
  }`,
} as const;

function expression(attributes: string): string {
  return `let
    system = builtins.currentSystem;
    make = name: inputs: derivation { inherit name system inputs; builder = "/bin/sh"; args = [ "-c" "echo $inputs > $out" ]; };
    input = make "input" [ (builtins.toFile "source" "text") ];
    dependent = make "dependent" [ input ];
    attributes = ${attributes};
  in derivation (attributes // { name = "seen"; inherit system; builder = "/bin/sh"; args = [ "-c" attributes.script ]; inputs = [ input dependent ]; })`;
}

for (const [what, attributes] of Object.entries(DERIVATIONS)) {
  test(`builders see the same: ${what}`, { skip: buildsMissing }, async () => {
    assert.deepEqual(...(await buildBoth(expression(attributes))));
  });
}

/** Both outputs and logs, with the inputs made by stock Nix. */
async function buildBoth(text: string): Promise<[ours: string[], theirs: string[]]> {
  await using scratch = await makeScratch();
  await using builds = await openBuildStore(scratch.path, 'chroot');
  process.env.SLUICE_TEST = 'from the host';
  const env = {
    ...builds.env,
    NIX_CONFIG: `${builds.env.NIX_CONFIG}\nsandbox = true\nsandbox-paths = ${MACHINE.join(' ')}\nsystem-features =\ncores = 3`,
  };
  const drvPath = await builds.instantiate(text);
  const references = await output('nix-store', ['-q', '--references', drvPath], { env });
  await output('nix-store', ['-r', ...references.split('\n').filter((path) => path.endsWith('.drv'))], { env });
  const { reply, log } = await builds.build(await builds.request(drvPath), {
    settings: { sandbox: 'true', cores: 3, systemFeatures: [] },
  });
  const ours = await readFile(locationOf(reply), 'utf8');
  const made = (await output('nix-store', ['-r', drvPath], { env })).trim();
  const theirs = await readFile(join(scratch.path, made), 'utf8');
  const theirLog = await output('nix-store', ['--read-log', drvPath], { env });
  // What Nix 2.8 says otherwise than 2.35.
  const asLater = (text: string): string =>
    text
      .replaceAll(/\/tmp\/nix-build-[^/]*(?=\/.attrs)/g, '/build')
      .replaceAll(/("references":\[[^\]]*\])(?=\})/g, '$1,"valid":true');
  return [
    [...ours.split('\n'), ...log],
    [...asLater(theirs).split('\n'), ...theirLog.split('\n').slice(0, -1)],
  ];
}
