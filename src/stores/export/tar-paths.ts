/**
 * Store objects as a tarball, for machines without Nix: `nix/store/HASH-NAME/…`, to be unpacked at `/`. It is made from
 * NARs, so that it can be of any store, and depends on nothing else: sorted, the same bytes wherever it is made. Files
 * that are hard links of each other in a store are there twice, as which ones are depends on the store.
 *
 * The directories above the objects have no entries: those would change what is there already.
 */
import { NarParser, type NarVisitor } from '../../formats/nar.ts';
import type { PathInfo } from '../../formats/path-info.ts';
import type { StoreDir } from '../../formats/store-path.ts';
import { TAR_END, type TarEntry, tarHeader, tarPadding } from '../../formats/tar-entry.ts';
import { printRegistration } from '../../formats/validity-registration.ts';
import type { Sink, Store } from '../store.ts';
import { type ExportOptions, pourNar } from './export-paths.ts';
import { WriteBehind } from './write-behind.ts';

/** As images and installers of NixOS call it. */
const REGISTRATION = 'nix-path-registration';

export interface TarOptions extends ExportOptions {
  /** Whether the tarball begins with a file that tells `nix-store --load-db` what is in it. */
  readonly registration: boolean;
}

/**
 * Writes a tarball of objects.
 *
 * @param sink - what has gone there is worth nothing where this throws.
 * @throws {HashMismatchError} on contents that are not what was registered; {@link InvalidPathError} on a path that is
 *   gone.
 */
export async function tarPaths(
  store: Store,
  infos: Iterable<PathInfo>,
  sink: Sink,
  { signal, onPath, registration }: TarOptions,
): Promise<void> {
  const sorted = [...infos].sort((a, b) => (a.path < b.path ? -1 : 1));
  const output = new WriteBehind(sink);
  if (registration) await writeRegistration(store.storeDir, sorted, output.push);
  for (const info of sorted) {
    onPath?.(info);
    const writer = new TarWriter(bytesOf(`${store.storeDir.slice(1)}/${info.path}`));
    const parser = new NarParser(writer);
    await pourNar(
      store,
      info,
      async (chunk) => {
        parser.push(chunk);
        for (const bytes of writer.take()) await output.push(bytes);
      },
      signal,
    );
    parser.finish();
  }
  await output.push(TAR_END);
  await output.flush();
}

async function writeRegistration(storeDir: StoreDir, infos: readonly PathInfo[], sink: Sink): Promise<void> {
  const print = (info: PathInfo): Buffer => Buffer.from(printRegistration(storeDir, info));
  const size = infos.reduce((sum, info) => sum + print(info).length, 0);
  await sink(tarHeader({ path: REGISTRATION, type: 'regular', executable: false, size }));
  for (const info of infos) await sink(print(info));
  await sink(tarPadding(size));
}

/** Hears a NAR and writes tar entries. */
class TarWriter implements NarVisitor {
  readonly #root: string;
  /** Paths of the open directories, outermost first. */
  readonly #directories: string[] = [];
  #written: Uint8Array[] = [];
  #size = 0;

  /** @param root - the path of the archive's root in the tarball, a byte string. */
  constructor(root: string) {
    this.#root = root;
  }

  /** What the last chunk came to; parts of it are parts of that chunk. */
  take(): Uint8Array[] {
    const written = this.#written;
    this.#written = [];
    return written;
  }

  enterDirectory(name: string): void {
    const path = this.#at(name);
    this.#header({ path, type: 'directory' });
    this.#directories.push(path);
  }

  leaveDirectory(): void {
    this.#directories.pop();
  }

  file(name: string, executable: boolean, size: number): void {
    this.#size = size;
    this.#header({ path: this.#at(name), type: 'regular', executable, size });
  }

  contents(bytes: Uint8Array): void {
    this.#written.push(bytes);
  }

  endFile(): void {
    const padding = tarPadding(this.#size);
    if (padding.length > 0) this.#written.push(padding);
  }

  symlink(name: string, target: string): void {
    this.#header({ path: this.#at(name), type: 'symlink', target });
  }

  #header(entry: TarEntry): void {
    this.#written.push(tarHeader(entry));
  }

  #at(name: string): string {
    const directory = this.#directories.at(-1);
    return directory === undefined ? this.#root : `${directory}/${name}`;
  }
}

/** As a byte string. */
function bytesOf(text: string): string {
  return Buffer.from(text).toString('latin1');
}
