/**
 * `node --import` of this file makes a process write its largest resident set size, in KiB, to the file that
 * SLUICE_TEST_MAX_RSS names, when it ends. It counts all its threads.
 */
import { writeFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

const file = process.env.SLUICE_TEST_MAX_RSS;
if (isMainThread && file !== undefined) {
  process.on('exit', () => writeFileSync(file, String(process.resourceUsage().maxRSS)));
}
