#!/usr/bin/env node
/**
 * The entry of the command line. It stays this small so that everything it loads comes out of the compile cache.
 *
 * The rest: program.ts parses and dispatches, command.ts is the interface that every command implements,
 * commands/NAME.ts is one command, loaded when it is asked for, progress/ tells how work goes on.
 * A new command is one file in commands/ that exports `NAMECommand: CommandModule`, and one entry in command-table.ts.
 */
import { enableCompileCache } from 'node:module';

enableCompileCache();
const { runProcess } = await import('./process.ts');
await runProcess();
