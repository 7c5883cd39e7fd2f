/** `sluice path-info`: what a store knows of paths, as `nix path-info` prints it. */
import { Option } from 'commander';
import { InvalidPathError } from '../../errors.ts';
import { printContentAddress } from '../../formats/content-address.ts';
import { isNarInfo, toNarInfoJson } from '../../formats/narinfo.ts';
import {
  PATH_INFO_JSON_FORMATS,
  type PathInfo,
  type PathInfoJsonFormat,
  toPathInfoJson,
} from '../../formats/path-info.ts';
import { type PathInfos, referencesFirst } from '../../formats/references-first.ts';
import { printStorePath, type StoreDir, type StorePath } from '../../formats/store-path.ts';
import { openStore } from '../../stores/open-store.ts';
import { closureOf, queryClosure } from '../closure.ts';
import type { CommandModule } from '../command.ts';
import { humanSize } from '../human-size.ts';
import { openNarInfos } from '../narinfos.ts';
import { storeUri } from '../store-uri.ts';
import { type PathOptions, readPaths } from '../transfers.ts';

interface Options extends PathOptions {
  readonly store: string;
  readonly recursive?: boolean;
  readonly json?: boolean;
  readonly jsonFormat: string;
  readonly sigs?: boolean;
  readonly size?: boolean;
  readonly closureSize?: boolean;
  readonly humanReadable?: boolean;
}

export const pathInfoCommand: CommandModule = {
  configure(command, cli) {
    command
      .argument('[paths...]', 'store paths, in full')
      .option('--store <uri>', 'the store to ask', storeUri, 'local')
      .option('-r, --recursive', 'show all that the paths refer to as well')
      .option('-s, --size', 'print the size of the NAR')
      .option('-S, --closure-size', 'print the size of the NARs of the path and of all it refers to')
      .option('-h, --human-readable', 'print sizes such as 5.7G')
      .option('--sigs', 'print signatures, content address, and whether the path was built here')
      .option('--json', 'print everything as JSON')
      .addOption(
        new Option('--json-format <number>', 'as Nix has them: 1 has full paths, 2 base names, 3 signatures in parts')
          .choices(PATH_INFO_JSON_FORMATS.map(String))
          .default('1'),
      )
      .option('--stdin', 'read paths from the standard input as well, with white space between them')
      .helpOption('--help', 'show this help')
      .addHelpText('after', EXAMPLES)
      .action(async (args: readonly string[], options: Options) => {
        using narInfoCache = openNarInfos(cli);
        await using store = await openStore(options.store, cli.settings, { narInfoCache });
        const paths = await readPaths(args, options, cli, store.storeDir);
        const isDeep = options.recursive === true || options.closureSize === true;
        const infos = await queryClosure(store, paths, { recursive: isDeep });
        const missing = missingPath(paths, infos, isDeep, options);
        if (missing !== undefined) throw new InvalidPathError(printStorePath(store.storeDir, missing), store.uri);
        const listed = options.recursive ? new Set([...paths, ...infos.keys()]) : new Set(paths);
        const text = options.json
          ? printJson(store.storeDir, [...listed], infos, options)
          : printLines(
              store.storeDir,
              referencesFirst([...listed], infos, (path) => listed.has(path)),
              infos,
              options,
            );
        await cli.stdout.write(text);
      });
  },
};

const EXAMPLES = `
Examples:
  sluice path-info -rsS --store https://cache.nixos.org /nix/store/…-hello-2.12.1
  sluice path-info --json --json-format 2 /nix/store/…-hello-2.12.1`;

/** A path that is needed and not valid. JSON can say so of the paths that were asked for. */
function missingPath(
  paths: readonly StorePath[],
  infos: PathInfos,
  isDeep: boolean,
  { json, recursive }: Options,
): StorePath | undefined {
  const needed = isDeep ? [...infos.values()].flatMap(({ references }) => references) : [];
  const asked = json && !recursive ? [] : paths;
  return [...asked, ...needed].find((path) => !infos.has(path));
}

function printLines(storeDir: StoreDir, paths: readonly StorePath[], infos: PathInfos, options: Options): string {
  const width = Math.max(0, ...paths.map((path) => printStorePath(storeDir, path).length));
  const size = (bytes: number): string => `\t${options.humanReadable ? humanSize(bytes) : String(bytes).padStart(11)}`;
  return paths
    .map((path) => {
      const info = infos.get(path)!;
      const shown = printStorePath(storeDir, path);
      const cells = [
        options.size ? size(info.narSize) : '',
        options.closureSize ? size(closureSize(path, infos)) : '',
        options.sigs ? `\t${vouchers(info).join(' ')}` : '',
      ].join('');
      return `${cells === '' ? shown : shown.padEnd(width)}${cells}\n`;
    })
    .join('');
}

/** What speaks for a path. */
function vouchers({ ultimate, contentAddress, signatures }: PathInfo): string[] {
  return [
    ...(ultimate ? ['ultimate'] : []),
    ...(contentAddress === undefined ? [] : [`ca:${printContentAddress(contentAddress)}`]),
    ...signatures,
  ];
}

function closureSize(path: StorePath, infos: PathInfos): number {
  return closureOf(path, infos).reduce((sum, { narSize }) => sum + narSize, 0);
}

/** One object by path, null for what is not valid; beyond format 1 it is wrapped, and says its version. */
function printJson(storeDir: StoreDir, paths: readonly StorePath[], infos: PathInfos, options: Options): string {
  const format = Number(options.jsonFormat) as PathInfoJsonFormat;
  const entries = paths.toSorted().map((path) => {
    const info = infos.get(path);
    const key = format === 1 ? printStorePath(storeDir, path) : path;
    return [key, info === undefined ? null : infoJson(storeDir, info, infos, format, options)];
  });
  const info = Object.fromEntries(entries) as object;
  return `${JSON.stringify(format === 1 ? info : { info, storeDir, version: format })}\n`;
}

function infoJson(
  storeDir: StoreDir,
  info: PathInfo,
  infos: PathInfos,
  format: PathInfoJsonFormat,
  options: Options,
): object {
  const json = isNarInfo(info) ? toNarInfoJson(storeDir, info, format) : toPathInfoJson(storeDir, info, format);
  if (!options.closureSize) return json;
  const closure = closureOf(info.path, infos);
  return {
    ...json,
    closureSize: closureSize(info.path, infos),
    ...(closure.every(isNarInfo) && {
      closureDownloadSize: closure.reduce((sum, each) => sum + (each.fileSize ?? 0), 0),
    }),
  };
}
