"""Five hundred numbered messages over each transport: none lost, doubled or out of order. And heartbeats."""

import asyncio
import unittest

from support import TRANSPORTS, Board, Client, Person, Server

SENDERS = ["Ada", "Ben", "Cleo", "Dan", "Eve"]
EACH = 100


def setUpModule():
    global server
    server = Server(COLLABFLOW_ENGINE__PING_INTERVAL="300ms", COLLABFLOW_ENGINE__PING_TIMEOUT="2s")


def tearDownModule():
    server.stop()


class Numbered(unittest.IsolatedAsyncioTestCase):
    async def test_five_hundred_messages(self):
        reader = Person(server, "Reader")
        people = [Person(server, name) for name in SENDERS]
        board = await Board.of(reader, *people)
        for way, transports in TRANSPORTS.items():
            with self.subTest(way):
                clients = [await Client(person).enter(transports) for person in (reader, *people)]
                for client in clients:
                    await client.do("chat:join", board.channel_id)

                async def send(client):
                    for n in range(EACH):
                        content = f"{way} {n}"
                        await client.do("chat:message", {"channelId": board.channel_id, "content": content})

                await asyncio.gather(*(send(client) for client in clients[1:]))
                orders = []
                for client in clients:
                    heard = [await client.next("chat:newMessage") for _ in range(EACH * len(SENDERS))]
                    orders.append([message["_id"] for message in heard])
                    for person in people:
                        own = [message["content"] for message in heard if message["sender"] == person.face]
                        self.assertEqual(own, [f"{way} {n}" for n in range(EACH)])
                self.assertTrue(all(order == orders[0] for order in orders), "two readers saw different orders")
                await board.chat_silent(*clients)
                for client in clients:
                    self.assertEqual(client.transport(), transports[-1])
                    await client.disconnect()

    async def test_heartbeats_keep_an_idle_client(self):
        for way, transports in TRANSPORTS.items():
            with self.subTest(way):
                client = await Client(Person(server, "Idle")).enter(transports)
                sid = client.get_sid()
                beats = asyncio.Queue()
                answer = client.eio._receive_packet

                async def receive(packet):
                    if packet.packet_type == 2:
                        beats.put_nowait(packet)
                    await answer(packet)

                client.eio._receive_packet = receive
                for _ in range(5):
                    await asyncio.wait_for(beats.get(), 5)
                self.assertEqual((client.connected, client.get_sid()), (True, sid))
                await client.disconnect()


if __name__ == "__main__":
    unittest.main()
