// PeerServer's own settings, with the broker in place of its classes.
import path from 'node:path'

const broker = path.join(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), 'broker.js')

export default {
  rootDir: process.env.HUSTINGS_E2E_PEERSERVER,
  testEnvironment: 'node',
  transform: { '^.+\\.(t|j)sx?$': '@swc/jest' },
  // PeerServer's tests use packages that are modules.
  transformIgnorePatterns: [],
  moduleNameMapper: {
    '^mock-socket$': broker,
    '/src/models/realm\\.ts$': broker,
    '/src/services/webSocketServer/index\\.ts$': broker
  },
  // What stands for them is beside this file, and their packages are not.
  moduleDirectories: ['node_modules', path.join(process.env.HUSTINGS_E2E_PEERSERVER, 'node_modules')]
}
