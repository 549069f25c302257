// SPDX-License-Identifier: MIT
// input-method.mjs - composes text in the focused field of a real page, as the
// input methods of Japanese or Chinese do.

/**
 * The result: `compose(text)` (begins a composition, or changes it), `commit(text)` (ends it); or
 * null where the driver can't. The events are the browser's own (`isTrusted`). A Firefox has to be
 * launched as `privileged`.
 */
export async function inputMethod(browser, page) {
  return (await browser.version()).startsWith('Chrome')
    ? ofChromium(await page.createCDPSession())
    : ofFirefox(browser.connection);
}

function ofChromium(devtools) {
  return {
    compose: (text) =>
      devtools.send('Input.imeSetComposition', {
        text,
        selectionStart: text.length,
        selectionEnd: text.length,
      }),
    commit: (text) => devtools.send('Input.insertText', { text }),
  };
}

/** Composes by the browser's own test interface, in the browser's window. */
async function ofFirefox(connection) {
  const tree = await connection
    .send('browsingContext.getTree', { 'moz:scope': 'chrome' })
    .catch(() => null);
  if (!tree) return null;
  const { context } = tree.result.contexts[0];
  const run = async (body, text) => {
    const expression = `{ const text = ${JSON.stringify(text)}; ${body} }`;
    const { result } = await connection.send('script.evaluate', {
      expression,
      target: { context },
      awaitPromise: false,
    });
    if (result.type === 'exception') throw new Error(result.exceptionDetails.text);
  };
  const begin = `globalThis.method ??= Cc['@mozilla.org/text-input-processor;1']
    .createInstance(Ci.nsITextInputProcessor);
    method.beginInputTransactionForTests(Services.wm.getMostRecentWindow('navigator:browser'));`;
  const set = `method.setPendingCompositionString(text);
    method.appendClauseToPendingComposition(text.length, method.ATTR_RAW_CLAUSE);
    method.setCaretInPendingComposition(text.length); method.flushPendingComposition();`;
  return {
    compose: (text) => run(begin + set, text),
    commit: (text) => run('method.commitCompositionWith(text);', text),
  };
}
