// What somebody sees on the page: what is hidden or folded away is not in `innerText`.
window.result = () => ({ votes: screen_of.votes(), pending: screen_of.pending() })
window.screen_of = {
  // Whether a text is on the page, however it is capitalised.
  // Nobody sees what isolates a name within a sentence.
  says: text => document.body.innerText.replace(/[\u2068\u2069]/g, '').toLowerCase().includes(text.toLowerCase()),
  // How it stands with the connection, in its first words.
  headline: () => document.querySelector('[aria-label="Connection"]').innerText.split('\n')[0].trim(),
  // Whether anything is said to be pending.
  pending: () => screen_of.says('pending sync'),
  // Each option with its votes.
  votes: () => screen_of.rows().map(row => [screen_of.label(row), parseInt(screen_of.figure(row))]),
  // Each option with the width of its bar, in percent of the most that it could be.
  bars: () => screen_of.rows().map(row => {
    const [whole, part] = ['.bar', '.bar .certain'].map(bar => row.querySelector(bar).getBoundingClientRect().width)
    return [screen_of.label(row), Math.round((part / whole) * 100)]
  }),
  // Goes to the top, and waits until nothing moves but what always does.
  rest: async () => {
    scrollTo({ top: 0, behavior: 'instant' })
    const ends = animation => animation.effect.getComputedTiming().endTime !== Infinity
    await Promise.allSettled(document.getAnimations().filter(ends).map(animation => animation.finished))
  },
  // Where the part with this heading ends, with the half of the gap to what follows.
  end: text => {
    const heading = [...document.querySelectorAll('h2')].find(heading => heading.innerText === text)
    return Math.ceil(heading.closest('section').getBoundingClientRect().bottom + scrollY) + 8
  },
  // The same in the view for a whole room.
  presented: () => [...document.querySelectorAll('[data-testid="presented"]')].map(votes => {
    const label = votes.closest('li').querySelector('.name').innerText.trim()
    return [label, parseInt(votes.innerText)]
  }),
  // Whether any number of votes or bar is on the page.
  figures: () => document.querySelector('[data-testid="votes"], [data-testid="presented"], .bar, .share:not(.card)') !== null,
  rows: () => [...document.querySelectorAll('[data-testid="votes"]')].map(votes => votes.closest('li')),
  label: row => row.querySelector('label').innerText.trim(),
  figure: row => row.querySelector('[data-testid="votes"]').innerText,
}
