// Whoever opens the page without a link in its address has the poll; all others vote in it.

const server = { host: location.hostname, port: Number(location.port), path: '/', config: { iceServers: [] } }
const main = document.querySelector('main')
const options = ['Thai', 'Pizza']

const host = () => {
  const peer = new Peer(server)
  const votes = new Map()
  peer.on('open', () => { window.link = `${location.origin}/#${peer.id}` })
  peer.on('connection', voter => {
    voter.on('open', () => voter.send({ options }))
    voter.on('data', ({ vote }) => {
      votes.set(voter.peer, vote)
      voter.send({ counted: vote })
    })
  })
}

const draw = send => {
  main.innerHTML = '<form><ol></ol><button>Vote</button><p role="status"></p></form>'
  const form = main.querySelector('form')
  const list = form.querySelector('ol')
  for (const option of options) {
    const label = document.createElement('label')
    const choice = document.createElement('input')
    Object.assign(choice, { type: 'radio', name: 'vote', value: option })
    label.append(choice, option)
    const item = document.createElement('li')
    item.append(label)
    list.append(item)
  }
  form.onsubmit = event => {
    event.preventDefault()
    send(new FormData(form).get('vote'))
  }
}

const join = id => {
  const peer = new Peer(server)
  peer.on('open', () => {
    const made = peer.connect(id, { reliable: true })
    made.on('data', said => {
      if (said.options) draw(vote => made.send({ vote }))
      if (said.counted) main.querySelector('[role=status]').textContent = 'Your vote is counted.'
    })
  })
}

const link = location.hash.slice(1)
link ? join(link) : host()
