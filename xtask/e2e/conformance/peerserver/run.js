// Runs PeerServer's own tests with the broker in its place: node run.js, with the folder of its
// repository in HUSTINGS_E2E_PEERSERVER and the broker in HUSTINGS_E2E_BROKER.
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const here = path.dirname(fileURLToPath(import.meta.url))
const repository = process.env.HUSTINGS_E2E_PEERSERVER

/** The names behind one of the words in the list, each with the reason. */
function listed(word) {
  const lines = readFileSync(path.join(here, '../not-applicable.txt'), 'utf8').split('\n')
  const names = lines.filter(line => line.startsWith(`${word}: `)).map(line => line.slice(word.length + 2))
  return new Map(names.map(name => name.split(/: (.*)/)))
}

const [notRun, notApplicable] = [listed('peerserver file'), listed('peerserver')]
const specs = readdirSync(path.join(repository, '__test__'), { recursive: true })
  .map(file => `__test__/${file}`)
  .filter(file => file.endsWith('.spec.ts') && !notRun.has(file))

mkdirSync(path.join(repository, 'dist/bin'), { recursive: true })
copyFileSync(path.join(here, 'bin.js'), path.join(repository, 'dist/bin/peerjs.js'))

const jest = path.join(repository, 'node_modules/jest/bin/jest.js')
// One after the other: each has the same port.
const args = [jest, '--config', path.join(here, 'jest.config.js'), '--runInBand', '--json', ...specs]
const ran = spawnSync(process.execPath, args, { cwd: repository, encoding: 'utf8', maxBuffer: 1 << 26 })
let report
try {
  report = JSON.parse(ran.stdout)
} catch {
  console.error(ran.stderr)
  process.exit(1)
}

let faults = 0
const fault = what => {
  faults += 1
  console.error(what)
}
const seen = new Set()
for (const { name, message, assertionResults } of report.testResults) {
  if (assertionResults.length === 0) fault(`${name} did not run: ${message}`)
  for (const { fullName, status, failureMessages } of assertionResults) {
    seen.add(fullName)
    const reason = notApplicable.get(fullName)
    if (reason === undefined && status !== 'passed') fault(`peerserver: ${fullName}: ${failureMessages.join('\n')}`)
    else if (reason !== undefined && status === 'passed') fault(`peerserver: ${fullName}: passes, and is listed`)
    else console.log(`peerserver: ${fullName}: ${status === 'passed' ? 'passed' : `not applicable (${reason})`}`)
  }
}
for (const name of notApplicable.keys()) if (!seen.has(name)) fault(`peerserver: ${name}: is listed, and is no test`)
console.log(`${seen.size} tests of PeerServer; ${notRun.size} files left out`)
process.exit(faults === 0 ? 0 : 1)
