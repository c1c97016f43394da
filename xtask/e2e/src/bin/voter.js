// Somebody who votes for the first option as soon as the page lets them, and notes when that was:
// milliseconds since the page was asked for.
(() => {
  const noted = (window.noted = {})
  const note = what => { noted[what] ??= performance.now() }
  const look = () => {
    if (!document.querySelector('main')) return
    note('drawn')
    const choice = document.querySelector('form ol input[type=radio]')
    const button = [...document.querySelectorAll('form button')].find(button => button.textContent.trim() === 'Vote')
    if (document.body.textContent.includes('Your vote is counted')) return note('counted')
    if (!choice || !button) return
    note('shown')
    // What it changes in the page, if it is anything, is looked at again.
    if (!choice.checked) choice.click()
    if (button.getAttribute('aria-disabled') !== 'true' && !noted.voted) {
      note('voted')
      button.click()
    }
  }
  const watched = { childList: true, subtree: true, attributes: true, characterData: true }
  new MutationObserver(look).observe(document, watched)
})()
