// SPDX-License-Identifier: MIT
// until.mjs - waits for a condition that has no event, such as a value in /proc.

/**
 * Resolves with the first true result of `condition`; rejects after `ms`
 * with the last result of `describe`.
 */
export async function until(condition, describe = () => condition.toString(), ms = 20000) {
  const deadline = Date.now() + ms;
  for (;;) {
    const result = await condition();
    if (result) return result;
    if (Date.now() > deadline) throw new Error(`not within ${ms} ms: ${describe()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
