/** Debian packages as derivations: each is unpacked by a builder, and refers to those that it depends on. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { downloadPackages } from './debian-corpus.ts';

/** What builders take from the machine; in a sandbox they see nothing else of it. */
export const SANDBOX_PATHS: readonly string[] = ['/bin', '/lib', '/lib64', '/usr'];

/** Where SLUICE_BUILD_CORPUS names packages, these are built instead of a few. */
const CHOSEN = process.env.SLUICE_BUILD_CORPUS;
/** `ffmpeg build-essential python3-scipy git nginx` are 460 packages: 700 MB of downloads. */
export const BUILD_ROOTS: readonly string[] = CHOSEN?.split(' ') ?? ['git', 'nginx-light'];
/** How much of a disk it takes to have their archives, and them built in two stores, in mebibytes. */
export const BUILD_ROOM: number = CHOSEN === undefined ? 1_500 : 12_000;

const BUILDER = 'mkdir -p $out/nix-support; dpkg-deb -x $deb $out; echo $dependencies > $out/nix-support/propagated';

/**
 * Downloads packages with all that they depend on, and writes an expression that has a list of their derivations.
 *
 * @returns the expression's file.
 */
export async function writeDebianExpression(directory: string, roots: readonly string[]): Promise<string> {
  const packages = await downloadPackages(join(directory, 'debs'), roots, 'all');
  const definitions = packages.map(({ name, file, pathName, dependencies }) => {
    const list = dependencies.map((each) => `p.${JSON.stringify(each)}`).join(' ');
    return `  ${JSON.stringify(name)} = make ${JSON.stringify(pathName)} (/. + ${JSON.stringify(file)}) [ ${list} ];\n`;
  });
  const expression = join(directory, 'packages.nix');
  await writeFile(
    expression,
    `let make = name: deb: dependencies: derivation {
  inherit name dependencies;
  deb = builtins.path { path = deb; name = "source.deb"; };
  system = builtins.currentSystem;
  builder = "/bin/sh";
  PATH = "/usr/bin:/bin";
  args = [ "-ec" ${JSON.stringify(BUILDER).replaceAll('$', '\\$')} ];
};
p = {
${definitions.join('')}}; in builtins.attrValues p
`,
  );
  return expression;
}
