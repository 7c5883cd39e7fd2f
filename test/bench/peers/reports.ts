/** Reports to print: made up, but for their shape. */
import type { Measurement } from '../../../bench/peers/measure.ts';
import type { GraphReport, PeersReport, RowReport, TransferReport } from '../../../bench/peers/report.ts';

export function run(seconds: number, peakBytes = 200e6): Measurement {
  return { seconds, cpuSeconds: 2 * seconds, peakBytes };
}

export function transferRow(overrides: Partial<TransferReport> = {}): TransferReport {
  return {
    kind: 'transfer',
    row: 'deb-xz',
    paths: 132,
    narBytes: 270e6,
    downloadBytes: 70e6,
    target: 1.1,
    sluice: [run(2), run(1), run(1)],
    nix: [run(3, 40e6), run(2, 41e6), run(1.5, 40e6)],
    floor: { decode: 0.5, hash: 0.1, write: 0.2, wait: 0 },
    ...overrides,
  };
}

export function graphRow(small: number, large: number): GraphReport {
  return { kind: 'graph', row: 'graph', seconds: { small, large } };
}

export function report(rows: readonly RowReport[], overrides: Partial<PeersReport> = {}): PeersReport {
  return {
    date: '2026-01-02T03:04:05.000Z',
    machine: {
      processor: 'Abacus 9000',
      cores: 4,
      memoryBytes: 16e9,
      system: 'Linux 6.1 x64',
      node: 'Node 24.0.0',
      sluice: 'Sluice 1.2.3',
      nix: 'nix (Nix) 2.8.0',
      nginx: 'nginx/1.22.1',
    },
    pairs: 3,
    rows,
    leftOut: [],
    ...overrides,
  };
}
