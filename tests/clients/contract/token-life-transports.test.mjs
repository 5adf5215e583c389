// The life of a token on a connected session, over each way that a client may go.
import { describe, it } from "node:test";
import assert from "node:assert/strict";
import { eventually } from "../lib/eventually.mjs";
import { TRANSPORTS, connect } from "./client.mjs";
import { ending, expires, shortLived } from "./lives.mjs";
import { Board, ISO_TIME, people, serve } from "./support.mjs";

const server = await serve();
const [ada] = await people(server, "Ada");
const board = await Board.of(ada);

for (const [way, transports] of Object.entries(TRANSPORTS)) {
  describe(`a token ${way}`, () => {
    it("that ends within the minute is told of at once, and ends the connection at its time", async () => {
      const session = await shortLived(2, { user: ada, transports });
      const { expiresAt } = await session.client.next("auth:expiring");
      assert.match(expiresAt, ISO_TIME);
      assert.equal(expiresAt, session.expiresAt);
      await expires(session);
    });

    it("that is refreshed lets the session go on past the old end, and the new end is told of in its turn", async () => {
      const { client, at } = await shortLived(2, { user: ada, transports });
      await client.do("join:project", board.id);
      await client.find("auth:expiring");
      await client.find("room:users");
      const fresh = ending(3, ada);
      assert.deepEqual(await client.do("auth:refresh", { token: fresh.token }), { ok: true, expiresAt: fresh.expiresAt });
      assert.deepEqual(await client.next("auth:expiring"), { expiresAt: fresh.expiresAt });
      await eventually("the old end is past", () => Date.now() > at + 300);
      await board.silent(client);
      await expires({ client, ...fresh });
    });

    it("that has ended brings a client whose auth is a function back with a new one, and into its rooms", async () => {
      const tokens = [ending(2, ada).token, ada.token];
      const auth = (give) => give({ token: tokens.length > 1 ? tokens.shift() : tokens[0] });
      const client = await connect(server.url, ada, { auth, transports });
      await client.do("join:project", board.id);
      await client.find("auth:expired");
      await client.happens("connect");
      await client.find("room:users");
      await board.settle(client);
    });
  });
}
