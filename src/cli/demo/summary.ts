/** What the demonstration says at its end. */
import { countPaths, formatBytes, formatDuration, formatRate } from '../progress/units.ts';
import { shellWord } from './invocation.ts';
import { type Cached, cacheOf, type Made, storeOf } from './phases.ts';

/** How a phase ended, and how long it took. */
export interface Timed<T> {
  readonly value: T;
  readonly milliseconds: number;
}

export interface DemoResults {
  readonly made: Timed<Made>;
  readonly cached: Timed<Cached>;
  readonly substituted: Timed<void>;
  readonly verified: Timed<number>;
}

/** A table: one line a phase, and one over all. */
export function summarise({ made, cached, substituted, verified }: DemoResults): string {
  const { paths, narBytes, nodeModules } = made.value;
  const rate = ({ milliseconds }: Timed<unknown>): string => formatRate((narBytes * 1000) / milliseconds);
  const pathRate = Math.round((paths * 1000) / substituted.milliseconds);
  const phases: readonly (readonly [string, Timed<unknown>, string])[] = [
    ['make', made, `${rate(made)}, out of ${nodeModules}`],
    ['compress, sign', cached, `${rate(cached)}, into ${formatBytes(cached.value.fileBytes)} of zstd`],
    ['substitute', substituted, `${rate(substituted)}, ${pathRate} paths/s, over HTTP into a fresh store`],
    ['verify', verified, `${rate(verified)}, ${countPaths(verified.value)} are as they should be`],
  ];
  const total = phases.reduce((sum, [, { milliseconds }]) => sum + milliseconds, 0);
  const rows = phases.map(([name, { milliseconds }, text]) => {
    return `  ${name.padEnd(14)} ${formatDuration(milliseconds).padStart(6)}  ${text}\n`;
  });
  return `\n${countPaths(paths)}, ${formatBytes(narBytes)}, in ${formatDuration(total)}:\n${rows.join('')}`;
}

export interface NextOptions {
  readonly directory: string;
  /** In full. */
  readonly top: string;
  readonly publicKey: string;
  /** What a command line of this program begins with. */
  readonly sluice: string;
}

/** Commands that can be pasted into a shell as they are. */
export function whatNext({ directory, top, publicKey, sluice }: NextOptions): string {
  const store = shellWord(storeOf(directory));
  const again = shellWord(`${directory}/again`);
  const cache = shellWord(`file://${encodeURI(cacheOf(directory))}`);
  const whole = shellWord(directory);
  return `Try next:
  ${sluice} path-info -r --size --store ${store} ${top}
  ${sluice} realise ${top} --store ${again} --substituter ${cache} --trusted-public-keys ${shellWord(publicKey)}
  ${sluice} verify --store ${again}

Everything is in ${directory}; to remove it:
  chmod -R u+w ${whole} && rm -rf ${whole}
`;
}
