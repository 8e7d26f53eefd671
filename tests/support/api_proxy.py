# SPDX-License-Identifier: Apache-2.0
"""Stands in front of a server of the Encrypted Inference API and changes one thing, for tests.

usage: api_proxy.py UPSTREAM_PORT MODE     (prints "listening 127.0.0.1:PORT")

through      nothing
newest       speaks as the original's newest server: 200, completed, hex alone, {"detail"} for errors, entries of eight
             members
documented   speaks as the original's documents: 202, done, a result that is base64 of an object
lenient      accepts what is refused as a hostile ciphertext: 202
backward     lets the state of a finished job go back, and its result change
unversioned  leaves api_version out, and answers errors as text
wrong-model  names another model in a result
seeded       cuts the last byte of a result
flaky        loses the first two answers of every POST /infer (libcurl itself asks once more)
"""
import base64
import http.client
import http.server
import json
import socketserver
import sys
import threading

upstream, mode = int(sys.argv[1]), sys.argv[2]
lock = threading.Lock()
polls = {}
PUBLISHED = ("model_id", "version", "description", "he_scheme", "encryption_parameters", "inference", "parameters",
             "activation_parameters", "constraints")
OLD = mode in ("newest", "documented")


class Proxy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def forward(self, body, headers):
        own = "127.0.0.1:%d" % self.server.server_address[1]
        if headers.get("Host", own) == own:
            headers["Host"] = "127.0.0.1:%d" % upstream
        connection = http.client.HTTPConnection("127.0.0.1", upstream, timeout=120)
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer.status, dict((k.lower(), v) for k, v in answer.getheaders()), data

    def reply(self, status, headers, data):
        self.send_response(status)
        for name, value in headers.items():
            if name not in ("content-length", "connection", "date", "server", "transfer-encoding"):
                self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def handle_any(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        headers = {k: v for k, v in self.headers.items() if k.lower() != "connection"}
        if OLD:
            if self.path.startswith(("/keys", "/schemas", "/openapi")):
                return self.json(404, {"detail": "Not Found"})
            headers = {k: v for k, v in headers.items() if k in ("Host", "Content-Type", "Content-Length")}
            if self.command == "POST" and headers.get("Content-Type") != "application/json":
                return self.json(422, {"detail": "body is no JSON"})
            if self.command == "POST":
                headers["Prefer"] = "wait=30"
        return self.change(*self.forward(body, headers))

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = handle_any

    def json(self, status, value):
        self.reply(status, {"content-type": "application/json"}, json.dumps(value).encode())

    def change(self, status, headers, data):
        is_json = "json" in headers.get("content-type", "")
        value = json.loads(data) if is_json and data else None
        if mode == "flaky" and self.command == "POST" and self.path == "/infer":
            key = self.headers.get("Idempotency-Key")
            with lock:
                polls[key] = polls.get(key, 0) + 1
                lost = polls[key] <= 2
            if lost:
                self.close_connection = True
                return None
        if OLD and isinstance(value, dict):
            return self.old(status, value)
        if mode == "lenient" and isinstance(value, dict):
            if value.get("error", {}).get("code") == "INVALID_CIPHERTEXT" and self.path == "/infer":
                return self.json(202, {"api_version": "1.0.0", "status": "accepted", "job_id": "0" * 32})
        if mode == "backward" and self.path.startswith("/jobs/") and status == 200:
            with lock:
                polls[self.path] = polls.get(self.path, 0) + 1
                turn = polls[self.path]
            if turn > 1 and isinstance(value, dict) and value.get("status") == "completed":
                if turn % 2 == 0:
                    return self.json(200, {k: v for k, v in value.items() if k != "result"} | {"status": "running"})
                value["updated_at"] = "2099-01-01T00:00:00.000Z"
                return self.json(200, value)
        if mode == "unversioned" and isinstance(value, dict):
            value.pop("api_version", None)
            if status >= 400:
                return self.json(status, {"detail": value.get("detail", "")})
            data = json.dumps(value).encode()
        if mode in ("wrong-model", "seeded") and isinstance(value, dict) and isinstance(value.get("result"), dict):
            if mode == "wrong-model":
                value["result"]["model_id"] = "another"
            else:
                value["result"]["payload"] = value["result"]["payload"][:-2]
            data = json.dumps(value).encode()
        return self.reply(status, headers, data)

    def old(self, status, value):
        if status >= 400:
            return self.json(status, {"detail": value.get("detail", "")})
        if self.path == "/models":
            value["models"] = [{k: m[k] for k in PUBLISHED if k in m} for m in value["models"]
                               if m["inference"]["activation"] == "polynomial_sigmoid_v1"]
            return self.json(200, value)
        if self.command == "POST":
            done = mode == "newest"
            return self.json(200 if done else 202, {"status": "completed" if done else "accepted", "job_id": value["job_id"]})
        if self.path.startswith("/jobs/") and isinstance(value.get("result"), dict):
            result = {k: v for k, v in value["result"].items() if k in ("model_id", "version", "payload", "diagnostics")}
            if mode == "newest":
                return self.json(200, {"status": "completed", "result": result})
            text = base64.b64encode(json.dumps(result).encode()).decode()
            return self.json(200, {"job_id": value["job_id"], "status": "done", "result": text, "error_message": None})
        return self.json(status, {k: v for k, v in value.items() if k in ("status", "job_id", "models", "outputs")})


class Server(http.server.ThreadingHTTPServer):
    # HTTPServer's own server_bind looks up the name of its address, which takes 10 s where no name server answers
    server_bind = socketserver.TCPServer.server_bind


server = Server(("127.0.0.1", 0), Proxy)
print("listening 127.0.0.1:%d" % server.server_address[1], flush=True)
server.serve_forever()
