"""The OpenAPI description: that it is one, and that the running server keeps to it, whatever it is sent."""

import asyncio
import json
import subprocess
import sys
import unittest
import urllib.request

from openapi_spec_validator import OpenAPIV31SpecValidator

from support import Person, Server

# What a random request of one user may do in a second is not what is tried here.
UNLIMITED = {
    f"COLLABFLOW_LIMITS__{limit}": "1000000"
    for limit in ("REQUESTS_PER_SECOND", "REQUESTS_BURST", "LOGIN_PER_MINUTE")
}
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


class OpenApi(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(**UNLIMITED)
        with urllib.request.urlopen(f"{cls.server.url}/api/openapi.json") as answer:
            cls.description = json.load(answer)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def test_it_is_a_valid_description_in_openapi_3_1(self):
        self.assertTrue(self.description["openapi"].startswith("3.1."))
        OpenAPIV31SpecValidator(self.description).validate()
        self.assertIn("bearer", self.description["components"]["securitySchemes"])
        for path in ("/healthz", "/readyz", "/metrics", "/api/openapi.json", "/api/tasks/{taskId}"):
            self.assertIn(path, self.description["paths"])

    def test_the_server_answers_as_it_says_whatever_it_is_sent(self):
        token = asyncio.run(self._somebody_with_a_board())
        command = [sys.executable, "-m", "schemathesis.cli", "run", f"{self.server.url}/api/openapi.json"]
        command += ["--header", f"Authorization: Bearer {token}", "--checks", CHECKS]
        command += ["--phases", "examples,coverage,fuzzing", "--max-examples", "15", "--seed", "1"]
        # It keeps notes where it runs.
        folder = self.server.folder.name
        run = subprocess.run(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300
        )
        self.assertEqual(run.returncode, 0, run.stdout[-12_000:])

    async def _somebody_with_a_board(self):
        ada = Person(self.server, "Ada")
        workspace = await ada.call("POST", "/api/workspaces", {"name": "W"})
        project = await ada.call("POST", "/api/projects", {"name": "P", "workspaceId": workspace["_id"]})
        await ada.call("POST", "/api/tasks", {"title": "T", "projectId": project["_id"]})
        return ada.token


if __name__ == "__main__":
    unittest.main()
