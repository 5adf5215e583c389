"""What the Python tests share: the server, a proxy that can cut, people with tokens, and a client that remembers.

A client's `next` takes the very next event and fails on any other: silence is shown by a marker that comes next.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import os
import pathlib
import queue
import re
import secrets
import subprocess
import tempfile
import threading
import time

import aiohttp
import socketio

ROOT = pathlib.Path(__file__).resolve().parents[3]
SECRET = "dev-secret"
PATIENCE = 8.0

TRANSPORTS = {
    "websocket": ["websocket"],
    "polling": ["polling"],
    "upgrade": ["polling", "websocket"],
}


def binary():
    """COLLABFLOW_BIN, else the newer of cargo's two builds."""
    given = os.environ.get("COLLABFLOW_BIN")
    if given:
        return pathlib.Path(given).resolve()
    builds = [ROOT / "target" / profile / "collabflow" for profile in ("release", "debug")]
    return max((path for path in builds if path.exists()), key=lambda path: path.stat().st_mtime)


class Server:
    """The binary on a free port and an empty folder of its own; `stop` fails where its log holds a panic."""

    def __init__(self, **env):
        self.folder = tempfile.TemporaryDirectory()
        self.log = []
        settings = {"PORT": "0", "JWT_SECRET": SECRET, "CLIENT_URL": "http://localhost:3000", **env}
        self.process = subprocess.Popen(
            [binary()], cwd=self.folder.name, env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        ports = queue.Queue()
        self.reading = threading.Thread(target=self._read, args=(ports,), daemon=True)
        self.reading.start()
        self.port = ports.get(timeout=30)
        self.url = f"http://127.0.0.1:{self.port}"

    def _read(self, ports):
        for line in self.process.stdout:
            self.log.append(re.sub(r"\x1b\[[0-9;]*m", "", line))
            found = re.search(r"listening on http://\S+:(\d+)", self.log[-1])
            if found:
                ports.put(int(found[1]))

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=15)
        finally:
            self.process.kill()
            self.reading.join()
            self.process.stdout.close()
        self.folder.cleanup()
        assert not any("panicked" in line for line in self.log), "".join(self.log[-40:])


class Proxy:
    """A TCP proxy in front of the server; `cut` resets every connection through it."""

    @classmethod
    async def to(cls, port):
        proxy = cls()
        proxy.links = set()
        proxy.tasks = set()
        proxy.target = port
        proxy.down = False
        proxy.server = await asyncio.start_server(proxy._link, "127.0.0.1", 0)
        proxy.url = "http://127.0.0.1:%d" % proxy.server.sockets[0].getsockname()[1]
        return proxy

    async def _link(self, reader, writer):
        if self.down:
            writer.transport.abort()
            return
        self.tasks.add(asyncio.current_task())
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.target)
        pair = (writer, there_writer)
        self.links.add(pair)
        await asyncio.gather(self._pump(reader, there_writer), self._pump(there_reader, writer))
        self.links.discard(pair)

    @staticmethod
    async def _pump(reader, writer):
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        writer.close()

    def cut(self):
        for pair in list(self.links):
            for writer in pair:
                writer.transport.abort()

    def set_down(self, down):
        self.down = down
        if down:
            self.cut()

    async def close(self):
        self.server.close()
        self.cut()
        await asyncio.gather(*self.tasks)


def mint(claims, secret=SECRET, algorithm="HS256"):
    """A token signed with HMAC and SHA-256, whatever algorithm it names."""
    parts = [{"alg": algorithm, "typ": "JWT"}, claims]
    text = b".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts)
    signature = hmac.new(secret.encode(), text, hashlib.sha256).digest()
    return (text + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


class Person:
    """A user known from the claims of a token, and that user's REST calls."""

    def __init__(self, server, name):
        self.server = server
        self.id = secrets.token_hex(12)
        self.face = {"_id": self.id, "name": name, "email": f"{name.lower()}@example.com"}
        claims = {"userId": self.id, "name": name, "email": self.face["email"], "exp": int(time.time()) + 3600}
        self.token = mint(claims)

    async def call(self, method, path, body=None, headers=None):
        """The body of a success."""
        headers = {"Authorization": f"Bearer {self.token}", **(headers or {})}
        async with aiohttp.ClientSession() as session:
            async with session.request(method, self.server.url + path, json=body, headers=headers) as answer:
                text = await answer.text()
                assert answer.status < 300, f"{method} {path}: {answer.status} {text}"
                return json.loads(text)


class Board:
    """A workspace with a project and a channel, and its members."""

    markers = 0

    @classmethod
    async def of(cls, owner, *members):
        board = cls()
        board.owner = owner
        board.workspace = await owner.call("POST", "/api/workspaces", {"name": "Works"})
        board.project = await owner.call(
            "POST", "/api/projects", {"name": "Board", "workspaceId": board.workspace["_id"]}
        )
        board.id = board.project["_id"]
        board.channel = await owner.call("POST", "/api/channels", {"name": "general", "projectId": board.id})
        board.channel_id = board.channel["_id"]
        for member in members:
            await member.call("GET", "/api/auth/me")
            for place in (f"workspaces/{board.workspace['_id']}", f"projects/{board.id}"):
                await owner.call("POST", f"/api/{place}/members", {"userId": member.id})
        return board

    async def task(self, **fields):
        return await self.owner.call("POST", "/api/tasks", {"title": "Write", "projectId": self.id, **fields})

    async def tasks(self):
        return await self.owner.call("GET", f"/api/tasks/project/{self.id}")

    async def say(self, content):
        return await self.owner.call("POST", f"/api/channels/{self.channel_id}/messages", {"content": content})

    async def settle(self, *clients):
        """Drops whatever the clients, all in the project, have heard up to now."""
        marker = await self._mark()
        for client in clients:
            while (await client.any())[1].get("task", {}).get("_id") != marker:
                pass

    async def silent(self, *clients):
        """Fails where one of the clients, all in the project, has heard anything more."""
        marker = await self._mark()
        for client in clients:
            assert (await client.next("task:created"))["task"]["_id"] == marker

    async def chat_silent(self, *clients):
        """The same for those in the channel."""
        marker = await self.say("marker")
        for client in clients:
            assert (await client.next("chat:newMessage"))["_id"] == marker["_id"]

    async def _mark(self):
        Board.markers += 1
        return (await self.task(title=f"marker {Board.markers}", status="in-progress"))["_id"]


class Client(socketio.AsyncClient):
    """A stock client with a queue of what it is told."""

    def __init__(self, person, **options):
        super().__init__(reconnection_delay=0.05, reconnection_delay_max=0.2, randomization_factor=0, **options)
        self.person = person
        self.heard = asyncio.Queue()
        self.connects = asyncio.Queue()
        self.refusals = asyncio.Queue()
        self.lost = asyncio.Event()
        self.on("*", lambda event, *args: self.heard.put_nowait((event, args[0] if args else None)))
        self.on("connect", lambda: self.connects.put_nowait(self.get_sid()))
        self.on("disconnect", lambda *_: self.lost.set())
        self.on("connect_error", lambda data: self.refusals.put_nowait(data))

    def credentials(self):
        return {"token": self.person.token}

    async def enter(self, transports=("websocket",), url=None):
        await self.connect(
            url or self.person.server.url, auth=self.credentials, transports=list(transports), wait_timeout=PATIENCE
        )
        await self.connects.get()
        return self

    async def lose(self, proxy):
        """Is cut off by the proxy, which lets nobody through from now on."""
        # Over polling what came last counts as read once the next poll is there, as it is before this is answered.
        await self.ask("leave:project", "0" * 24)
        self.lost.clear()
        proxy.set_down(True)
        # Between two polls there is nothing to cut: then the next one is refused.
        await asyncio.wait_for(self.lost.wait(), PATIENCE)

    async def cut_by(self, proxy):
        """Is cut off by the proxy, and waits to be connected again."""
        await self.lose(proxy)
        proxy.set_down(False)
        return await self.connected_again()

    async def connected_again(self):
        return await asyncio.wait_for(self.connects.get(), PATIENCE)

    async def ask(self, event, data):
        return await self.call(event, data, timeout=PATIENCE)

    async def do(self, event, data):
        """Sends and returns the acknowledgement of a success."""
        ack = await self.ask(event, data)
        assert ack.get("ok") is True, f"{event} was refused: {ack}"
        return ack

    async def any(self):
        return await asyncio.wait_for(self.heard.get(), PATIENCE)

    async def next(self, event):
        heard = await self.any()
        assert heard[0] == event, f"instead of {event} came {heard}"
        return heard[1]


class ReturningClient(Client):
    """Gives the server's `pid` back when it reconnects, as socket.io-client does by itself and python-socketio does not."""

    pid = None

    def credentials(self):
        return {"token": self.person.token, **({"pid": self.pid} if self.pid else {})}

    async def _handle_connect(self, namespace, data):
        self.pid = (data or {}).get("pid")
        await super()._handle_connect(namespace, data)
