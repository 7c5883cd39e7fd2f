import assert from 'node:assert/strict';
import { test } from 'node:test';
import { markup } from '../../../../src/cli/bench/page/markup.ts';

test('what is put into a template is escaped', () => {
  const evil = `<script>alert("1")</script>&'`;
  assert.equal(
    markup`<p title="${evil}">${evil}</p>`.text,
    '<p title="&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;">' +
      '&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;</p>',
  );
});

test('markup in markup stays as it is, lists follow each other, and nothing is nothing', () => {
  const item = markup`<li>${'<'}</li>`;
  assert.equal(markup`<ul>${[item, undefined, [item]]}</ul>`.text, '<ul><li>&lt;</li><li>&lt;</li></ul>');
});

test('numbers are short enough for coordinates', () => {
  assert.equal(markup`${1 / 3} ${-0.001} ${1e-9} ${100}`.text, '0.33 0 0 100');
});

test('what no document may hold is replaced', () => {
  assert.equal(markup`${'a\u0000b\u001bc\ud800d\ne'}`.text, 'a\ufffdb\ufffdc\ufffdd\ne');
});
