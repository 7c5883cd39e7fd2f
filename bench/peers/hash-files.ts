/** A worker thread that hashes files: it is sent their names, and answers when it has read and hashed them all. */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';

const buffer = Buffer.allocUnsafe(1024 * 1024);

parentPort!.on('message', (files: readonly string[]) => {
  for (const file of files) hash(file);
  parentPort!.postMessage('done');
});

function hash(file: string): void {
  const hash = createHash('sha256');
  const fd = openSync(file, 'r');
  for (let read = readSync(fd, buffer); read > 0; read = readSync(fd, buffer)) hash.update(buffer.subarray(0, read));
  hash.digest();
  closeSync(fd);
}
