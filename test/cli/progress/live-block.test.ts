import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LiveBlock } from '../../../src/cli/progress/live-block.ts';
import { Screen } from '../../support/screen.ts';

function open(columns = 40): { screen: Screen; block: LiveBlock } {
  const screen = new Screen(columns, 24);
  screen.write('$ sluice\n');
  return { screen, block: new LiveBlock(screen) };
}

test('a block is drawn over itself, whatever its height', () => {
  const { screen, block } = open();
  block.draw(['one', 'two', 'sum 1']);
  assert.equal(screen.text, '$ sluice\none\ntwo\nsum 1');
  block.draw(['sum 2']);
  assert.equal(screen.text, '$ sluice\nsum 2');
  block.draw(['three', 'sum 3']);
  assert.equal(screen.text, '$ sluice\nthree\nsum 3');
});

test('a shorter line leaves nothing of a longer one', () => {
  const { screen, block } = open();
  block.draw(['a long line', 'sum']);
  block.draw(['short', 'sum']);
  assert.equal(screen.text, '$ sluice\nshort\nsum');
});

test('messages stay above the block', () => {
  const { screen, block } = open();
  block.draw(['one', 'sum']);
  block.print('warning: first');
  block.print('a message of\ntwo lines');
  assert.equal(screen.text, '$ sluice\nwarning: first\na message of\ntwo lines\none\nsum');
  block.draw(['sum']);
  assert.equal(screen.text, '$ sluice\nwarning: first\na message of\ntwo lines\nsum');
});

test('a message without a block is a line', () => {
  const { screen, block } = open();
  block.print('hello');
  block.clear();
  assert.equal(screen.text, '$ sluice\nhello\n');
});

test('a cleared block leaves the cursor where it began', () => {
  const { screen, block } = open();
  block.draw(['one', 'two']);
  block.clear();
  screen.write('next');
  assert.equal(screen.text, '$ sluice\nnext');
});

test('a terminal that becomes narrower wraps the block, and all of it is drawn over', () => {
  const { screen, block } = open(40);
  block.draw(['x'.repeat(39), 'y'.repeat(39), 'sum']);
  screen.narrow(15);
  block.draw(['x', 'sum']);
  assert.equal(screen.text, '$ sluice\nx\nsum');
});

test('every frame is one write, and the same frame is none', () => {
  const { screen, block } = open();
  const before = screen.writes;
  block.draw(['one', 'sum']);
  block.draw(['one', 'sum']);
  assert.equal(screen.writes, before + 1);
});
