/** Measurements that nobody made, for tests of what is made of them. */

import type { Step, TransferRecord } from '../../../src/cli/bench/records.ts';
import { type BenchReport, reportStep } from '../../../src/cli/bench/report.ts';
import type { StorePath } from '../../../src/formats/store-path.ts';
import { MIB, pathNamed } from '../../support/transfers.ts';

/** When everything begins, by the clock of records.ts. */
export const BEGIN = 1_700_000_000_000;

export interface MadeUpTransfer {
  readonly name?: string;
  readonly thread?: number;
  /** Milliseconds after {@link BEGIN}. */
  readonly started?: number;
  readonly wait?: number;
  readonly unpack?: number;
  readonly decode?: number;
  readonly hash?: number;
  readonly write?: number;
}

/** A transfer of 1 MiB that unpacks to 4 MiB. */
export function madeUpTransfer(transfer: MadeUpTransfer = {}): TransferRecord {
  const { name = 'hello', thread = 1, started = 100, wait = 20, unpack = 80, ...work } = transfer;
  const { decode = 30, hash = 20, write = 10 } = work;
  const path: StorePath = pathNamed(name);
  const timings = { thread, started: BEGIN + started, wait, unpack, decode, hash, write };
  return { path, narSize: 4 * MIB, downloadedBytes: MIB, timings };
}

/** Ten queries of 1 to 10 ms, one after the other; two transfers in two threads, done after 200 ms; two commits. */
export function madeUpStep(parallelism: number, transfers?: readonly TransferRecord[]): Step {
  const queries = Array.from({ length: 10 }, (_, index) => {
    const started = BEGIN + (index * (index + 1)) / 2;
    return { started, ended: started + index + 1, found: true };
  });
  return {
    parallelism,
    narinfos: { started: BEGIN, ended: BEGIN + 55, queries },
    transfers: {
      started: BEGIN + 100,
      ended: BEGIN + 300,
      transfers: transfers ?? [madeUpTransfer(), madeUpTransfer({ name: 'world', thread: 2, started: 180 })],
      commits: [
        { started: BEGIN + 205, ended: BEGIN + 210, paths: 1 },
        { started: BEGIN + 290, ended: BEGIN + 300, paths: 1 },
      ],
      threads: 2,
    },
  };
}

export function madeUpReport(steps: readonly Step[], changes: Partial<BenchReport> = {}): BenchReport {
  return {
    store: 'https://cache.example.org',
    date: '2026-01-02T03:04:05.678Z',
    to: 'store',
    machine: { node: 'v24.0.0', platform: 'linux x64', processor: 'Abacus', cores: 2 },
    closure: {
      paths: 2,
      narBytes: 8 * MIB,
      downloadBytes: 2 * MIB,
      leftOut: { paths: 0, narBytes: 0, downloadBytes: 0 },
      incompletePaths: 0,
      discovery: { queries: 2, found: 2, milliseconds: 12 },
    },
    steps: steps.map(reportStep),
    ...changes,
  };
}
