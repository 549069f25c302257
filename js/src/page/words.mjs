// SPDX-License-Identifier: MIT
// @ts-check
/** What the sign says, in some languages. */

/**
 * @typedef {object} Words
 * @property {string} waiting there is no connection; the page is coming back by itself
 * @property {string} over the page is not connected any more, and does nothing about it by itself
 * @property {string} again what the user may do
 */

/** @type {Readonly<Record<string, readonly string[]>>} */
const SIGN_WORDS = Object.freeze({
  en: ['No connection. Trying again…', 'This page is not connected any more.', 'Load it again'],
  da: ['Ingen forbindelse. Prøver igen…', 'Denne side er ikke længere forbundet.', 'Indlæs igen'],
  de: ['Keine Verbindung. Neuer Versuch…', 'Diese Seite ist nicht mehr verbunden.', 'Neu laden'],
  es: ['Sin conexión. Reintentando…', 'Esta página ya no está conectada.', 'Volver a cargarla'],
  fr: ['Pas de connexion. Nouvel essai…', 'Cette page n’est plus connectée.', 'La recharger'],
  it: ['Nessuna connessione. Nuovo tentativo…', 'Questa pagina non è più connessa.', 'Ricaricala'],
  ja: ['接続がありません。再試行しています…', 'このページは接続されていません。', '再読み込み'],
  nl: ['Geen verbinding. Nieuwe poging…', 'Deze pagina is niet meer verbonden.', 'Opnieuw laden'],
  no: [
    'Ingen forbindelse. Prøver igjen…',
    'Denne siden er ikke lenger tilkoblet.',
    'Last inn igjen',
  ],
  pl: ['Brak połączenia. Kolejna próba…', 'Ta strona nie jest już połączona.', 'Wczytaj ponownie'],
  pt: ['Sem conexão. Tentando de novo…', 'Esta página não está mais conectada.', 'Recarregar'],
  sv: ['Ingen anslutning. Försöker igen…', 'Den här sidan är inte längre ansluten.', 'Ladda om'],
  zh: ['没有连接。正在重试…', '此页面已断开连接。', '重新加载'],
});

/** Other names of the same language. @type {Readonly<Record<string, string>>} */
const ALSO = Object.freeze({ nb: 'no', nn: 'no' });

/**
 * @param {string} tag the page's language, such as `de-AT`; empty: it names none
 * @returns {{ lang: string, words: Words }}
 */
export function wordsFor(tag) {
  const asked = tag.toLowerCase().split(/[-_]/)[0];
  const known = ALSO[asked] ?? asked;
  const lang = Object.hasOwn(SIGN_WORDS, known) ? known : 'en';
  const [waiting, over, again] = SIGN_WORDS[lang];
  return { lang, words: { waiting, over, again } };
}
