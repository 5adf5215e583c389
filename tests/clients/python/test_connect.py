"""Who gets in, over each transport, and what the others are told."""

import time
import unittest

import socketio

from support import TRANSPORTS, Client, Person, Server, mint


def setUpModule():
    global server
    server = Server()


def tearDownModule():
    server.stop()


class Connecting(unittest.IsolatedAsyncioTestCase):
    async def test_a_good_token_is_taken(self):
        for way, transports in TRANSPORTS.items():
            with self.subTest(way):
                client = await Client(Person(server, "Ada")).enter(transports)
                self.assertTrue(client.get_sid())
                self.assertEqual(client.transport(), transports[-1])
                await client.disconnect()

    async def test_a_bad_token_is_refused_with_a_reason(self):
        user = "0123456789abcdef01234567"
        refused = {
            "Authentication required": [{}, {"token": None}, {"token": ""}],
            "Invalid or expired token": [
                {"token": "nonsense"},
                {"token": mint({"userId": user}, secret="another")},
                {"token": mint({"userId": user}, algorithm="HS512")},
                {"token": mint({"userId": user}, algorithm="none")},
                {"token": mint({"userId": user, "exp": int(time.time()) - 1})},
                {"token": mint({"name": "nobody"})},
            ],
        }
        for transports in TRANSPORTS.values():
            for message, credentials in refused.items():
                for auth in credentials:
                    with self.subTest(message, auth=auth, transports=transports):
                        client = Client(Person(server, "Eve"), reconnection=False)
                        client.credentials = lambda auth=auth: auth
                        with self.assertRaises(socketio.exceptions.ConnectionError):
                            await client.enter(transports)
                        self.assertEqual(
                            client.refusals.get_nowait(), {"message": message, "data": {"code": "unauthorized"}}
                        )

    async def test_another_namespace_is_invalid(self):
        client = socketio.AsyncClient(reconnection=False)
        told = []
        client.on("connect_error", told.append, namespace="/admin")
        with self.assertRaises(socketio.exceptions.ConnectionError):
            await client.connect(
                server.url, auth={"token": Person(server, "Ada").token}, namespaces=["/", "/admin"], wait_timeout=5
            )
        self.assertEqual(told, [{"message": "Invalid namespace"}])


class TheThreadedClient(unittest.TestCase):
    """python-socketio's other client brings its own HTTP and WebSocket libraries."""

    def test_connects_asks_and_is_answered(self):
        for way, transports in TRANSPORTS.items():
            with self.subTest(way):
                client = socketio.Client(reconnection=False)
                client.connect(
                    server.url, auth={"token": Person(server, "Ada").token}, transports=transports, wait_timeout=5
                )
                ack = client.call("join:project", "0123456789abcdef01234567", timeout=5)
                self.assertEqual(ack["error"]["code"], "not_found")
                self.assertEqual(client.transport(), transports[-1])
                client.disconnect()


if __name__ == "__main__":
    unittest.main()
