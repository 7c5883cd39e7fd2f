/** The thread of a HashThread: hashes what comes through a ring, and answers with the digest. */
import { createHash } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { RingReader } from '../src/stores/byte-ring.ts';
import type { HashTask } from '../src/stores/hash-thread.ts';

const { algorithm, memory } = workerData as HashTask;
const reader = new RingReader(memory);
try {
  const hasher = createHash(algorithm);
  if (reader.read((bytes) => hasher.update(bytes))) parentPort!.postMessage(hasher.digest());
} catch (error) {
  reader.giveUp(); // the other side may be waiting, and hear of nothing else
  throw error;
}
