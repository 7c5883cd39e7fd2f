import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BarReporter } from '../../../src/cli/progress/bar-reporter.ts';
import { JsonReporter } from '../../../src/cli/progress/json-reporter.ts';
import { type ErrorStream, openReporter } from '../../../src/cli/progress/open-reporter.ts';
import { RawReporter } from '../../../src/cli/progress/raw-reporter.ts';

const TERMINAL: ErrorStream = { isTTY: true, columns: 80, rows: 24, write: () => true };
const PIPE: ErrorStream = { write: () => true };

const CHOICES = [
  ['a terminal', TERMINAL, {}, BarReporter],
  ['a terminal that cannot move its cursor', TERMINAL, { environment: { TERM: 'dumb' } }, RawReporter],
  ['a pipe', PIPE, {}, RawReporter],
  ['a terminal, where raw is asked for', TERMINAL, { format: 'raw' }, RawReporter],
  ['a pipe, where a bar is asked for', PIPE, { format: 'bar' }, BarReporter],
  ['a pipe, where JSON is asked for', PIPE, { format: 'internal-json' }, JsonReporter],
] as const;

for (const [what, stream, options, wanted] of CHOICES) {
  test(`${what} gets a ${wanted.name}`, () => {
    using reporter = openReporter(stream, { environment: {}, ...options });
    assert.ok(reporter instanceof wanted);
  });
}
