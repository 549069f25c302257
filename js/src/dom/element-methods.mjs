// SPDX-License-Identifier: MIT
// @ts-check
/** Actions of a `.dom` that call a method of the element: of dialogs, forms and media. */
import { domCall, domGet } from '../base/dom-property.mjs';
import { DomProblem } from './problem.mjs';
import { typing } from './typing.mjs';

/** @param {any} dialog */
export function showModal(dialog) {
  requireMethod(dialog, 'showModal', 'showModal', 'a <dialog>');
  if (domCall(dialog, 'matches', ':modal')) return;
  dialog.removeAttribute('open'); // a dialog that is shown beside the page
  dialog.showModal();
}

/** @param {any} element a dialog or a popover @param {true | string} value */
export function closeElement(element, value) {
  if (domGet(element, 'popover') && typeof domGet(element, 'close') !== 'function') {
    if (domCall(element, 'matches', ':popover-open')) domCall(element, 'hidePopover');
    return;
  }
  requireMethod(element, 'close', 'close', 'a <dialog> or a popover');
  element.close(...(value === true ? [] : [value]));
}

/**
 * Resets a form. What the user types meanwhile stays, unless it is forced.
 * @param {any} form @param {boolean} force
 */
export function resetForm(form, force) {
  if (domGet(form, 'localName') !== 'form') throw new DomProblem('reset: a <form> is wanted');
  const field = force ? null : typing.edited;
  const isOf = field && domGet(field, 'form') === form;
  const { value, selectionStart, selectionEnd } = isOf ? field : {};
  domCall(form, 'reset');
  if (!isOf) return;
  field.value = value;
  if (typeof selectionStart === 'number') field.setSelectionRange(selectionStart, selectionEnd);
}

/**
 * @param {any} media @param {boolean} plays false: pauses
 * @returns {Promise<void> | undefined} rejected if the browser does not let it play
 */
export function play(media, plays) {
  requireMethod(media, 'play', 'play', '<video> or <audio>');
  if (plays) return media.play();
  media.pause();
}

/** @param {any} element @param {string} action @param {string} method @param {string} wanted */
function requireMethod(element, action, method, wanted) {
  if (typeof domGet(element, method) !== 'function')
    throw new DomProblem(`${action}: ${wanted} is wanted`);
}
