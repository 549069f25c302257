// SPDX-License-Identifier: MIT
// @ts-check
/**
 * A browser loses the selection of a node that is moved, and of a field whose type changes; some
 * browsers lose the focus.
 */
import { domCall, domGet } from '../base/dom-property.mjs';
import { typed } from './typed.mjs';

/** @returns {() => void} restores the focus and the selection */
export function rememberFocus() {
  const active = domGet(document, 'activeElement');
  const isField = active && domGet(active, 'localName') !== 'form';
  const { selectionStart, selectionEnd, selectionDirection, type } = isField ? active : {};
  const restoreSelection = rememberSelection();
  return () => {
    if (active && domGet(active, 'isConnected')) {
      const lost = domGet(document, 'activeElement') !== active;
      if (lost) typed.keepEditing(() => domCall(active, 'focus', { preventScroll: true }));
      if (
        typeof selectionStart === 'number' &&
        (lost || active.type !== type) &&
        typeof active.selectionStart === 'number'
      )
        active.setSelectionRange(selectionStart, selectionEnd, selectionDirection);
    }
    restoreSelection?.();
  };
}

/** @returns {(() => void) | null} */
function rememberSelection() {
  const selection = typed.selects ? getSelection() : null;
  const { anchorNode, anchorOffset, focusNode, focusOffset } = selection ?? {};
  if (!selection || !anchorNode || !focusNode) return null;
  return () => {
    if (
      selection.anchorNode === anchorNode ||
      !domGet(anchorNode, 'isConnected') ||
      !domGet(focusNode, 'isConnected')
    )
      return;
    selection.setBaseAndExtent(
      anchorNode,
      within(anchorNode, anchorOffset),
      focusNode,
      within(focusNode, focusOffset),
    );
  };
}

/** @param {any} node @param {number | undefined} offset */
function within(node, offset = 0) {
  const length = domGet(node, 'nodeType') === 3 ? node.data.length : undefined;
  return Math.min(offset, length ?? domGet(node, 'childNodes').length);
}
