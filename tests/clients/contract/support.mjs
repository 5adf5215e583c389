// What the contract tests share: people, a board for them to work on, and markers that prove silence.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after } from 'node:test'
import { mintToken } from '../lib/tokens.mjs'
import { startServer } from '../lib/server.mjs'
import { connect } from './client.mjs'

export const SECRET = 'a short string secret'
/** The page that `CLIENT_URL` allows. */
export const PAGE = 'http://localhost:3000'

/** A server for this test file, ended with it; a panic in its log fails the file. */
export async function serve(env = {}) {
  const server = await startServer({ env: { JWT_SECRET: SECRET, CLIENT_URL: PAGE, ...env } })
  after(async () => {
    await server.stop()
    assert.doesNotMatch(server.log(), /panicked/)
  })
  return server
}

export const objectId = () => randomBytes(12).toString('hex')
export const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/
export const OBJECT_ID = /^[0-9a-f]{24}$/

/** A user known from the claims of a token, and that user's REST calls. */
export class Person {
  constructor(server, name, claims = {}) {
    this.server = server
    this._id = objectId()
    this.name = name
    this.email = `${name.toLowerCase()}-${this._id.slice(-6)}@example.org`
    this.token = mintToken({ userId: this._id, name, email: this.email, ...claims }, SECRET)
  }

  /** The `{_id,name,email}` that events carry. */
  get face() {
    return { _id: this._id, name: this.name, email: this.email }
  }

  /** Any request; answers `{status, headers, body}`. */
  async call(method, path, body, headers = {}) {
    return request(this.server.url, method, `/api${path}`, body, { authorization: `Bearer ${this.token}`, ...headers })
  }

  get = (path, headers) => this.#ok('GET', path, undefined, headers)
  post = (path, body, headers) => this.#ok('POST', path, body, headers)
  patch = (path, body, headers) => this.#ok('PATCH', path, body, headers)
  delete = (path, headers) => this.#ok('DELETE', path, undefined, headers)

  /** The body of a success. */
  async #ok(method, path, body, headers) {
    const answer = await this.call(method, path, body, headers)
    assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer.body
  }
}

/** One HTTP request; a body that is no string is sent as JSON, an answer that is JSON is read. */
export async function request(url, method, path, body, headers = {}) {
  const answer = await fetch(url + path, {
    method,
    headers: body === undefined ? headers : { 'content-type': 'application/json', ...headers },
    body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body),
    signal: AbortSignal.timeout(10_000),
  })
  const text = await answer.text()
  const json = answer.headers.get('content-type')?.startsWith('application/json')
  return { status: answer.status, headers: answer.headers, body: json ? JSON.parse(text) : text }
}

/** People the server has met, so that they can be made members. */
export async function people(server, ...names) {
  const all = names.map((name) => new Person(server, name))
  await Promise.all(all.map((person) => person.get('/auth/me')))
  return all
}

/** A workspace with a project and a channel, and those in it. */
export class Board {
  static #markers = 0

  /** `others` are members, or `[person, role]`. */
  static async of(owner, ...others) {
    const board = new Board()
    board.owner = owner
    board.workspace = await owner.post('/workspaces', { name: 'Works' })
    board.project = await owner.post('/projects', { name: 'Board', workspaceId: board.workspace._id })
    board.channel = await owner.post('/channels', { name: 'general', projectId: board.project._id })
    for (const entry of others) await board.add(...[entry].flat())
    return board
  }

  async add(person, role = 'member') {
    await this.owner.post(`/workspaces/${this.workspace._id}/members`, { userId: person._id, role })
    await this.owner.post(`/projects/${this.project._id}/members`, { userId: person._id, role })
  }

  get id() {
    return this.project._id
  }

  task(fields = {}, headers = {}, author = this.owner) {
    return author.post('/tasks', { title: 'Write', projectId: this.id, ...fields }, headers)
  }

  tasks(reader = this.owner) {
    return reader.get(`/tasks/project/${this.id}`)
  }

  async messages(reader = this.owner) {
    return (await reader.get(`/channels/${this.channel._id}/messages?limit=200`)).messages
  }

  /** Joins all `clients` to the project and waits until the last echo of it has passed. */
  async gather(...clients) {
    for (const client of clients) await client.do('join:project', this.id)
    await this.settle(...clients)
  }

  /** Joins all `clients` to the channel. */
  async chat(...clients) {
    for (const client of clients) await client.do('chat:join', this.channel._id)
  }

  /** Tells everybody in the project a marker, in the column that no test uses; made by a script, so nobody is left out. */
  async mark() {
    const title = `marker ${++Board.#markers}`
    await this.task({ title, status: 'in-progress' })
    return title
  }

  /** Drops whatever `clients` have heard up to now. */
  async settle(...clients) {
    const title = await this.mark()
    await Promise.all(clients.map((client) => client.find('task:created', ({ task }) => task.title === title)))
  }

  /** Fails where one of `clients`, all in the project, has heard something since. */
  async silent(...clients) {
    const title = await this.mark()
    for (const client of clients) assert.equal((await client.next('task:created')).task.title, title)
  }

  /** The same for those in the channel. */
  async chatSilent(...clients) {
    const content = `marker ${++Board.#markers}`
    await this.owner.post(`/channels/${this.channel._id}/messages`, { content })
    for (const client of clients) assert.equal((await client.next('chat:newMessage')).content, content)
  }

  /** The same for those in the workspace. */
  async workspaceSilent(...clients) {
    const description = `marker ${++Board.#markers}`
    await this.owner.patch(`/projects/${this.id}`, { description })
    for (const client of clients) assert.equal((await client.next('project:updated')).updates.description, description)
  }
}

/** Connects each of `persons` and joins them to the board's project. */
export async function seated(board, persons, options) {
  const clients = await Promise.all(persons.map((person) => connect(person.server.url, person, options)))
  await board.gather(...clients)
  return clients
}
