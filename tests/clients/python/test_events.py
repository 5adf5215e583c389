"""The rows of the event table that matter most, with two clients, over each transport."""

import unittest

from support import TRANSPORTS, Board, Client, Person, Server


def setUpModule():
    global server
    # python-socketio closes a WebSocket without a DISCONNECT packet: that is a drop, told after the grace.
    server = Server(COLLABFLOW_PRESENCE__GRACE="300ms")


def tearDownModule():
    server.stop()


class Events(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.ada, self.ben = Person(server, "Ada"), Person(server, "Ben")
        self.board = await Board.of(self.ada, self.ben)

    async def over_each_transport(self, check):
        """Runs `check` with Ada's and Ben's client, both in the project and the channel."""
        for way, transports in TRANSPORTS.items():
            with self.subTest(way):
                clients = [await Client(person).enter(transports) for person in (self.ada, self.ben)]
                try:
                    for client in clients:
                        await client.do("join:project", self.board.id)
                        await client.do("chat:join", self.board.channel_id)
                    await self.board.settle(*clients)
                    await check(*clients)
                finally:
                    for client in clients:
                        await client.disconnect()

    async def test_task_create(self):
        async def check(author, other):
            payload = {"projectId": self.board.id, "task": {"title": " Write ", "priority": "high"}}
            ack = await author.do("task:create", payload)
            self.assertEqual(ack["task"]["title"], "Write")
            self.assertEqual(await other.next("task:created"), {"task": ack["task"], "createdBy": self.ada.face})
            await self.board.silent(author, other)

        await self.over_each_transport(check)

    async def test_task_update(self):
        async def check(author, other):
            task = await self.board.task()
            await self.board.settle(author, other)
            change = {"projectId": self.board.id, "taskId": task["_id"], "updates": {"title": "New"}}
            ack = await author.do("task:update", change)
            self.assertEqual(ack["task"]["version"], 2)
            self.assertEqual(
                await other.next("task:updated"),
                {"taskId": task["_id"], "updates": {"title": "New"}, "updatedBy": self.ada.face, "version": 2},
            )
            late = await other.ask("task:update", {**change, "updates": {"title": "Late"}, "expectedVersion": 1})
            self.assertEqual((late["ok"], late["error"]["code"], late["task"]), (False, "conflict", ack["task"]))
            await self.board.silent(author, other)

        await self.over_each_transport(check)

    async def test_task_move(self):
        async def check(author, other):
            task = await self.board.task()
            await self.board.settle(author, other)
            move = {"projectId": self.board.id, "taskId": task["_id"], "fromStatus": "todo", "toStatus": "done"}
            ack = await author.do("task:move", {**move, "newIndex": 0})
            expected = {**move, "newIndex": 0, "position": ack["task"]["position"], "version": 2, "movedBy": self.ada.face}
            self.assertEqual(await other.next("task:moved"), expected)
            await self.board.silent(author, other)

        await self.over_each_transport(check)

    async def test_task_delete(self):
        async def check(author, other):
            task = await self.board.task()
            await self.board.settle(author, other)
            ack = await author.do("task:delete", {"projectId": self.board.id, "taskId": task["_id"]})
            self.assertEqual(ack, {"ok": True})
            gone = {"taskId": task["_id"], "deletedBy": self.ada.face}
            self.assertEqual(await other.next("task:deleted"), gone)
            await self.board.silent(author, other)

        await self.over_each_transport(check)

    async def test_joining_and_leaving(self):
        async def check(author, other):
            where = {"projectId": self.board.id}
            await other.do("leave:project", self.board.id)
            self.assertEqual(await author.next("user:left"), {"userId": self.ben.id, **where})
            ack = await other.do("join:project", self.board.id)
            self.assertCountEqual(ack["users"], [self.ada.face, self.ben.face])
            told = await other.next("room:users")
            self.assertEqual(told["projectId"], self.board.id)
            self.assertCountEqual(told["users"], [self.ada.id, self.ben.id])
            self.assertEqual(
                await author.next("user:joined"), {"userId": self.ben.id, "user": self.ben.face, **where}
            )
            await other.disconnect()
            self.assertEqual(await author.next("user:left"), {"userId": self.ben.id, **where})

        await self.over_each_transport(check)

    async def test_messages_and_typing(self):
        async def check(author, other):
            channel = self.board.channel_id
            say = {"channelId": channel, "content": "Hello", "clientId": f"c-{author.get_sid()}"}
            ack = await author.do("chat:message", say)
            for client in (author, other):
                self.assertEqual(await client.next("chat:newMessage"), ack["message"])
            self.assertEqual(await author.do("chat:message", say), ack)
            for typing in (True, False):
                await author.do("chat:typing", {"channelId": channel, "isTyping": typing})
                expected = {"channelId": channel, "userId": self.ada.id, "user": self.ada.face, "isTyping": typing}
                self.assertEqual(await other.next("chat:userTyping"), expected)
            await other.do("chat:leave", channel)
            await self.board.chat_silent(author)
            await other.do("chat:join", channel)
            await self.board.chat_silent(author, other)

        await self.over_each_transport(check)

    async def test_a_failure_is_an_error_with_or_without_an_acknowledgement(self):
        async def check(author, other):
            nowhere = {"projectId": self.board.id, "taskId": "0" * 24, "updates": {"title": "x"}}
            ack = await author.ask("task:update", nowhere)
            self.assertEqual((ack["ok"], ack["error"]["code"]), (False, "not_found"))
            await author.emit("task:update", nowhere)
            told = await author.next("error")
            self.assertEqual((told["event"], told["code"]), ("task:update", "not_found"))
            bad = await author.ask("task:create", {"projectId": self.board.id, "task": {"title": ""}})
            self.assertEqual(bad["error"]["code"], "validation_failed")
            self.assertRegex(" ".join(bad["error"]["fields"]), "title")
            await self.board.silent(author, other)

        await self.over_each_transport(check)

    async def test_a_change_by_rest_and_its_announcement(self):
        async def check(author, other):
            task = await self.board.task()
            await self.board.settle(author, other)
            page = {"Origin": "http://localhost:3000"}
            answer = await self.ada.call("PATCH", f"/api/tasks/{task['_id']}", {"title": "New"}, page)
            self.assertEqual((await other.next("task:updated"))["updates"], {"title": "New"})
            ack = await author.do(
                "task:update", {"projectId": self.board.id, "taskId": task["_id"], "updates": {"title": "New"}}
            )
            self.assertEqual(ack["task"], answer)
            await self.board.silent(author, other)

        await self.over_each_transport(check)


if __name__ == "__main__":
    unittest.main()
