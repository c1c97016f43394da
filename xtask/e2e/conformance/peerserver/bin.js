// Stands where PeerServer's own program is, and runs the broker in place of it.
import { spawn } from 'node:child_process'

const args = process.argv.slice(2).map(arg => (arg === '--cors' ? '--allow-origin' : arg))
const broker = spawn(process.env.HUSTINGS_E2E_BROKER, args, { stdio: ['ignore', 'inherit', 'inherit'] })
broker.on('exit', code => process.exit(code ?? 1))
process.on('SIGTERM', () => broker.kill())
