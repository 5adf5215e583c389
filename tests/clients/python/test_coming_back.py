"""Connections that are cut: the stock client joins again by itself, one that returns its pid is in its rooms again."""

import asyncio
import unittest

from support import TRANSPORTS, Board, Client, Person, Proxy, ReturningClient, Server


def setUpModule():
    global server
    server = Server()


def tearDownModule():
    server.stop()


class ComingBack(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.ada, self.ben = Person(server, "Ada"), Person(server, "Ben")
        self.board = await Board.of(self.ada, self.ben)
        self.proxy = await Proxy.to(server.port)
        self.addAsyncCleanup(self.proxy.close)
        self.watcher = await Client(self.ada).enter()
        self.addAsyncCleanup(self.watcher.disconnect)

    async def behind_the_proxy(self, client, transports):
        await client.enter(transports, url=self.proxy.url)
        for one in (self.watcher, client):
            await one.do("join:project", self.board.id)
        await self.board.settle(self.watcher, client)
        return client

    async def test_a_pid_gives_the_rooms_back_again_and_again(self):
        for way, transports in TRANSPORTS.items():
            with self.subTest(way):
                client = await self.behind_the_proxy(ReturningClient(self.ben), transports)
                sids, pids = {client.get_sid()}, {client.pid}
                for cuts in range(1, 4):
                    sids.add(await client.cut_by(self.proxy))
                    pids.add(client.pid)
                    self.assertEqual((len(sids), len(pids)), (cuts + 1, cuts + 1))
                    self.assertEqual((await client.next("room:users"))["projectId"], self.board.id)
                    await self.board.silent(client, self.watcher)
                await client.disconnect()
                await self.watcher.next("user:left")

    async def test_what_was_missed_is_told_once(self):
        for way, transports in TRANSPORTS.items():
            with self.subTest(way):
                client = await self.behind_the_proxy(ReturningClient(self.ben), transports)
                gone = asyncio.Event()
                client.on("disconnect", lambda *_: gone.set())
                self.proxy.set_down(True)
                await asyncio.wait_for(gone.wait(), 8)
                missed = [(await self.board.task(title=f"Missed {n}"))["_id"] for n in range(3)]
                self.proxy.set_down(False)
                await client.connected_again()
                for _id in missed:
                    self.assertEqual((await client.next("task:created"))["task"]["_id"], _id)
                await client.next("room:users")
                await self.board.silent(client)
                await client.disconnect()
                await self.board.settle(self.watcher)

    async def test_a_stock_client_that_joins_again_is_no_coming_and_going(self):
        for way, transports in TRANSPORTS.items():
            with self.subTest(way):
                client = await self.behind_the_proxy(Client(self.ben), transports)
                for _ in range(3):
                    await client.cut_by(self.proxy)
                    await client.do("join:project", self.board.id)
                    await client.next("room:users")
                    await self.board.silent(client, self.watcher)
                await client.disconnect()
                await self.watcher.next("user:left")


if __name__ == "__main__":
    unittest.main()
