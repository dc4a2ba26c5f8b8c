/** What screen readers hear of a picture that changes all the time: one sentence, as soon as it rests. */

const PAUSE = 450; // ms without a change

/** Return {later(sentence), hold()} for a live region: `later` shows a text after a pause, and `hold` cancels it. */
export function createAnnouncer(region) {
  let timer = null;
  const hold = () => clearTimeout(timer);
  const later = (sentence) => {
    hold();
    timer = setTimeout(() => {
      if (region.textContent !== sentence) region.textContent = sentence;
    }, PAUSE);
  };
  return { later, hold };
}
