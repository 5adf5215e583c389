"""Connections that are cut: the stock client joins again by itself, one that returns its pid is in its rooms again."""

import unittest

from support import TRANSPORTS, Board, Client, Person, Proxy, ReturningClient, Server


def setUpModule():
    global server
    server = Server()


def tearDownModule():
    server.stop()


class ComingBack(unittest.IsolatedAsyncioTestCase):
    async def scene(self, kind, transports):
        """Ben's client behind the proxy, Ada's watching; both on a board of their own."""
        ada, ben = Person(server, "Ada"), Person(server, "Ben")
        self.board = await Board.of(ada, ben)
        self.proxy = await Proxy.to(server.port)
        self.addAsyncCleanup(self.proxy.close)
        self.watcher = await Client(ada).enter()
        self.addAsyncCleanup(self.watcher.disconnect)
        client = await kind(ben).enter(transports, url=self.proxy.url)
        self.addAsyncCleanup(client.disconnect)
        for one in (self.watcher, client):
            await one.do("join:project", self.board.id)
        await self.board.settle(self.watcher, client)
        return client

    async def test_a_pid_gives_the_rooms_back_again_and_again(self):
        for way, transports in TRANSPORTS.items():
            with self.subTest(way):
                client = await self.scene(ReturningClient, transports)
                sids, pids = {client.get_sid()}, {client.pid}
                for cuts in range(1, 4):
                    sids.add(await client.cut_by(self.proxy))
                    pids.add(client.pid)
                    self.assertEqual((len(sids), len(pids)), (cuts + 1, cuts + 1))
                    self.assertEqual((await client.next("room:users"))["projectId"], self.board.id)
                    await self.board.silent(client, self.watcher)

    async def test_what_was_missed_is_told_once(self):
        for way, transports in TRANSPORTS.items():
            with self.subTest(way):
                client = await self.scene(ReturningClient, transports)
                await client.lose(self.proxy)
                missed = [(await self.board.task(title=f"Missed {n}"))["_id"] for n in range(3)]
                self.proxy.set_down(False)
                await client.connected_again()
                for _id in missed:
                    self.assertEqual((await client.next("task:created"))["task"]["_id"], _id)
                await client.next("room:users")
                await self.board.silent(client)

    async def test_a_stock_client_that_joins_again_is_no_coming_and_going(self):
        for way, transports in TRANSPORTS.items():
            with self.subTest(way):
                client = await self.scene(Client, transports)
                for _ in range(3):
                    await client.cut_by(self.proxy)
                    await client.do("join:project", self.board.id)
                    await client.next("room:users")
                    await self.board.silent(client, self.watcher)


if __name__ == "__main__":
    unittest.main()
