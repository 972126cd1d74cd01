"""A small stand-in for the server of Weights & Biases, on this machine: one sweep, whose trials are given."""

import gzip
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ENTITY, PROJECT = "someone", "trials"


class WandbServer:
    """Hands out a sweep's trials one by one and keeps what the runs report.

    Attributes:
        url: of the server.
        history: {run: one dictionary a logged step}.
        summary: {run: its last summary}.
        requests: how many there were.
        unknown: operations that it has no answer to.
    """

    def __init__(self, config: str, trials: dict[str, dict[str, Any]]) -> None:
        self.config, self.waiting = config, dict(trials)
        self.history: dict[str, list[dict[str, Any]]] = {}
        self.summary: dict[str, dict[str, Any]] = {}
        self.buckets: dict[str, dict[str, Any]] = {}
        self.requests = 0
        self.unknown: list[str] = []
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *args: Any) -> None: ...

            def body(self) -> bytes:
                content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                return gzip.decompress(content) if self.headers.get("Content-Encoding") == "gzip" else content

            def do_PUT(self) -> None:
                self.body()
                self.answer({})

            def do_GET(self) -> None:
                self.answer({})

            def do_POST(self) -> None:
                content = self.body()
                if self.path == "/graphql":
                    asked = json.loads(content)
                    self.answer({"data": server.graphql(asked["query"], asked.get("variables") or {})})
                elif self.path.endswith("/file_stream"):
                    server.stream(self.path, json.loads(content))
                    self.answer({"exitcode": None, "limits": {}})
                else:
                    self.answer({})

            def answer(self, content: dict[str, Any]) -> None:
                server.requests += 1
                text = json.dumps(content).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> "WandbServer":
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def graphql(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        operation = re.match(r"\s*(?:query|mutation)\s+(\w+)", query)[1]
        with self._lock:
            answer = getattr(self, f"_{operation.lower()}", None)
            if answer is None:
                self.unknown.append(operation)
                return {}
            return answer(variables)

    def _viewer(self, variables: dict[str, Any]) -> dict[str, Any]:
        teams = {"edges": [{"node": {"name": ENTITY}}]}
        user = {"id": "1", "entity": ENTITY, "username": ENTITY, "email": "", "flags": "{}", "teams": teams}
        return {"viewer": user}

    def _sweepwithruns(self, variables: dict[str, Any]) -> dict[str, Any]:
        return {"project": {"sweep": {"config": self.config, "runs": {"edges": []}}}}

    def _createagent(self, variables: dict[str, Any]) -> dict[str, Any]:
        return {"createAgent": {"agent": {"id": "agent"}}}

    def _heartbeat(self, variables: dict[str, Any]) -> dict[str, Any]:
        """One trial at a time, then the end."""
        commands: list[dict[str, Any]] = []
        if not json.loads(variables["runState"]):
            if self.waiting:
                name, values = self.waiting.popitem()
                arguments = {option: {"value": value} for option, value in values.items()}
                commands = [{"type": "run", "run_id": name, "args": arguments, "program": "skd"}]
            else:
                commands = [{"type": "exit"}]
        return {"agentHeartbeat": {"agent": {"id": "agent"}, "commands": json.dumps(commands)}}

    def _upsertbucket(self, variables: dict[str, Any]) -> dict[str, Any]:
        name = variables["name"]
        bucket = self.buckets.setdefault(name, {})
        bucket |= {key: value for key, value in variables.items() if value is not None}
        project = {"name": PROJECT, "entity": {"name": ENTITY}}
        answer = {"id": name, "name": name, "displayName": name, "project": project, "historyLineCount": 0}
        return {"upsertBucket": {"bucket": answer, "inserted": True}}

    def _artifacttype(self, variables: dict[str, Any]) -> dict[str, Any]:
        return {"project": None}

    def _createartifact(self, variables: dict[str, Any]) -> dict[str, Any]:
        """It is there already, so nothing has to be sent."""
        artifact = {"id": "artifact", "state": "COMMITTED", "artifactSequence": {"latestArtifact": None}}
        return {"createArtifact": {"artifact": artifact}}

    def _createrunfiles(self, variables: dict[str, Any]) -> dict[str, Any]:
        run, names = variables["run"], variables["files"]
        files = [{"name": name, "uploadUrl": f"{self.url}/storage/{run}/{name}"} for name in names]
        return {"createRunFiles": {"runID": run, "uploadHeaders": [], "files": files}}

    def stream(self, path: str, content: dict[str, Any]) -> None:
        run = path.split("/")[-2]
        files = content.get("files") or {}
        with self._lock:
            for line in files.get("wandb-history.jsonl", {}).get("content", []):
                self.history.setdefault(run, []).append(json.loads(line))
            for line in files.get("wandb-summary.json", {}).get("content", []):
                self.summary[run] = json.loads(line)
