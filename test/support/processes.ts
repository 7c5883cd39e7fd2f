/** The processes of this machine. */
import { readdir, readFile } from 'node:fs/promises';

/** The numbers of processes whose command line is as said, and that are no zombies. */
export async function processesNamed(commandLine: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const named = await Promise.all(
    pids.map(async (pid) => {
      const text = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      return text.split('\0').join(' ').trim() === commandLine;
    }),
  );
  return pids.filter((_, index) => named[index]).map(Number);
}
